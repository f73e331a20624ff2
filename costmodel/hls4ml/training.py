"""The packaged bundle: ``python -m costmodel.hls4ml.training --data DIR --out DIR [--all]``.

``costmodel train --kind hls4ml`` fits the same model to the train split and measures it on the rest; this one fits it
to every report of freely licensed data (of all data, if told so), and to the open labels but for their test split:
those designs are what ``costmodel evaluate --add-points`` shows beside the predictions.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from costmodel.corpora.schema import checksum
from costmodel.hls4ml.corpus import fit_designs, split_of
from costmodel.hls4ml.predictor import HlsPredictor
from costmodel.hls4ml.rows import OPEN, SOURCES, find_folder, load_designs

_SEED = 0


def train_bundle(
    data: Path, free_only: bool = True, version: str = "0.1.0", learner: str = "lightgbm", open_data: Path | None = None
) -> HlsPredictor:
    """Fit every target that the data of `data` label. free_only : leave out what a licence keeps from being shipped.

    open_data : folder of the open labels (datasets/hls4ml_open), learned from too.
    """
    folders = [find_folder(data, None), *([] if open_data is None else [find_folder(open_data, None)])]
    loaded = [design for folder in folders for design in load_designs(folder, free_only)]
    designs = [design for design in loaded if design.file != OPEN or not split_of(design.group).startswith("test")]
    used = {design.file for design in designs}
    files = [folder / source.file for folder in folders for source in SOURCES if source.name in used]
    return fit_designs(designs, learner, _SEED, checksum([file for file in files if file.exists()]), version=version)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write a bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the reports as parquet files")
    parser.add_argument("--open-data", type=Path, help="folder of the open labels, e.g. datasets/hls4ml_open")
    parser.add_argument("--out", type=Path, required=True, help="new folder for the bundle")
    parser.add_argument("--learner", default="lightgbm")
    parser.add_argument("--all", action="store_true", help="use non-commercial data too; do not ship the result")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True)
    predictor = train_bundle(given.data, not given.all, learner=given.learner, open_data=given.open_data)
    predictor.save(given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
