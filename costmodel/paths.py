"""Where a checkout keeps its data sets."""

from __future__ import annotations

from pathlib import Path

from featurizers.errors import InputError


def dataset_folder(name: str) -> Path:
    """datasets/<name> of the checkout that we run from, or of the present folder. InputError where neither has it."""
    for root in (Path(__file__).resolve().parents[1], Path.cwd()):
        folder = root / "datasets" / name
        if folder.is_dir():
            return folder
    rule = "must be given with --data: the installed package brings no data sets, a checkout has them in datasets/"
    raise InputError(f"The folder of the data set '{name}'", rule)
