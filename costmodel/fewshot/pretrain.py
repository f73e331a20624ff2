"""Write the pretrained few-shot learners: ``python -m costmodel.fewshot.pretrain --data DIR --out DIR``.

One folder per space, ``network_fewshot_<space>``, trained on every device of its table. For new devices of users; the
benchmarks train their own on the known devices of each task.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from costmodel.fewshot.regressor import FewShotRegressor
from costmodel.fewshot.tables import load_table
from costmodel.fewshot.training import LEARNERS, meta_train
from featurizers.network.nas_physics import SPACES

LABELS = "nas_latency: tables of HELP (github.com/HayeonLee/HELP), MIT licence, Copyright (c) 2024 HayeonLee"


def pretrain(data: Path, out: Path, space: str, learner: str = "meta", seed: int = 0) -> FewShotRegressor:
    """Train on all devices of ``<space>_latency.parquet`` and save to ``out/network_fewshot_<space>``."""
    table = load_table(data, space)
    fitted = meta_train(learner, table.space, table.ops, table.known(tuple(table.latency_ms)), seed)
    trained = replace(fitted, card={**fitted.card, "labels": LABELS})
    folder = out / f"network_fewshot_{space}"
    folder.mkdir(parents=True)
    trained.save(folder)
    return trained


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the NAS latency tables")
    parser.add_argument("--out", type=Path, required=True, help="where the learners' folders go")
    parser.add_argument("--space", choices=sorted(SPACES), action="append", help="only these (default: all)")
    parser.add_argument("--learner", choices=sorted(LEARNERS), default="meta")
    args = parser.parse_args(arguments)
    for space in args.space or sorted(SPACES):
        trained = pretrain(args.data, args.out, space, args.learner)
        print(f"{space}: {trained.learner}, {len(trained.devices)} devices: {', '.join(trained.devices)}")


if __name__ == "__main__":
    main()
