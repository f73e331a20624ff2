"""``costmodel evaluate --kind network``."""

from __future__ import annotations

import argparse
from pathlib import Path

from costmodel.cli.train import data_folder
from costmodel.kinds import load_bundle
from costmodel.predictor import Predictor
from costmodel.registry import ModelStore
from featurizers.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command. An empty value stands for the default, as `mlflow run` passes it."""
    parser.add_argument("--kind", default="network")
    parser.add_argument("--data", default="", help="dataset folder (default: the kind's own under ./datasets)")
    parser.add_argument("--bundle", type=Path, help="a bundle's folder (default: the model that answers now)")
    parser.add_argument(
        "--add-points", action="store_true", help="put held-out predictions beside measurements into --bundle"
    )
    parser.add_argument("--json", action="store_true", help="print rows as JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Print the accuracy table of a model."""
    from costmodel.cli.output import print_json
    from costmodel.evaluation.tables import format_table
    from costmodel.training import add_points, evaluate

    if args.add_points:
        if args.bundle is None:
            raise InputError("The option --add-points", "needs --bundle FOLDER")
        add_points(args.bundle, data_folder(args.kind, args.data))
    rows = evaluate(_predictor(args), data_folder(args.kind, args.data))
    if args.json:
        print_json(rows)
    else:
        print(format_table(rows))
    return 0


def _predictor(args: argparse.Namespace) -> Predictor:
    if args.bundle is not None:
        return load_bundle(args.bundle)
    store = ModelStore()
    store.refresh()
    return store.predictor(args.kind)
