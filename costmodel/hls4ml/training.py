"""Train this kind's bundle: ``python -m costmodel.hls4ml.training --data DIR --out DIR [--all]``."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from costmodel.hls4ml.model import HlsModel
from costmodel.hls4ml.predictor import HlsPredictor
from costmodel.hls4ml.rows import SOURCES, load_designs

_SEED = 0


def train_bundle(data: Path, free_only: bool = True, version: str = "0.1.0") -> HlsPredictor:
    """Fit every target that the data of `data` label. free_only : leave out what a licence keeps from being shipped."""
    designs = load_designs(data, free_only)
    model = HlsModel("costmodel-hls4ml", version).fit(designs, seed=_SEED)
    rows = Counter(design.file for design in designs)
    labelled = sorted(model.learned)
    model.card = {
        "title": "Resources and cycles of hls4ml designs",
        "data": [
            {"name": source.name, "file": source.file, "licence": source.licence, "rows": rows[source.name]}
            for source in SOURCES
            if rows[source.name]
        ],
        "licence": "Apache-2.0" if free_only else "see data: not for redistribution",
        "labelled_targets": labelled,
        "closed_form_targets": [name for name in sorted(set(HlsPredictor(model).targets)) if name not in labelled],
        "seed": _SEED,
        "limits": "Single dense layers (32 to 256 wide, 2 to 14 bit weights, Vivado HLS 2020.1, xcu250) and a few unit "
        "layers were seen. Convolutions, recurrent layers, streams and logic synthesis are answered by closed forms "
        "with wide intervals.",
    }
    return HlsPredictor(model)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write a bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the reports as parquet files")
    parser.add_argument("--out", type=Path, required=True, help="new folder for the bundle")
    parser.add_argument("--all", action="store_true", help="use non-commercial data too; do not ship the result")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True)
    train_bundle(given.data, free_only=not given.all).save(given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
