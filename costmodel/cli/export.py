"""``costmodel export mlir --target cycles --cpu znver4 --out DIR``."""

from __future__ import annotations

import argparse
from pathlib import Path

from costmodel.kinds import KINDS
from featurizers.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--target", help="the quantity (default: the device's first)")
    parser.add_argument("--device", "--cpu", dest="device", required=True)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the .c, .h and .columns.tsv files")
    parser.add_argument("--bundle", type=Path, help="folder of a bundle (default: the model that answers)")


def run(args: argparse.Namespace) -> int:
    """Write the three files and print their names."""
    from costmodel.export import c_name, column_list, formula, header, source
    from costmodel.predictor import Predictor
    from costmodel.registry import ModelStore

    if args.bundle is not None:
        predictor = Predictor.load(args.bundle)
    else:
        store = ModelStore()
        store.refresh()
        try:
            predictor = store.predictor(args.kind)
        except LookupError as error:
            raise InputError("'kind'", str(error.args[0])) from error
    if predictor.kind != args.kind:
        raise InputError("The bundle", f"must be of the kind '{args.kind}'", predictor.kind)
    found = formula(predictor, args.device, args.target)
    args.out.mkdir(parents=True, exist_ok=True)
    for suffix, text in ((".c", source(found)), (".h", header(found)), (".columns.tsv", column_list(found))):
        path = args.out / f"{c_name(found)}{suffix}"
        path.write_text(text)
        print(path)
    return 0
