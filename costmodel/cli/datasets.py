"""``costmodel datasets``."""

from __future__ import annotations

import argparse

from costmodel.cli.output import print_json, print_table
from costmodel.corpus import CorpusError
from costmodel.kinds import KINDS
from costmodel.paths import dataset_folder
from featurizers.errors import InputError

_HEADER = ("data set", "kind", "subjects", "devices", "licence", "folder")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Print the data set of each kind; reading it checks it against its schema."""
    found = [_described(name) for name in KINDS if KINDS[name].dataset]
    if args.json:
        print_json({"datasets": found})
    else:
        print_table(_HEADER, [[str(entry[key]) for key in _KEYS] for entry in found])
    return 0


_KEYS = ("name", "kind", "subjects", "devices", "licence", "folder")


def _described(name: str) -> dict[str, object]:
    kind = KINDS[name]
    entry: dict[str, object] = {**dict.fromkeys(_KEYS, ""), "name": kind.dataset, "kind": name}
    try:
        folder = dataset_folder(kind.dataset)
    except InputError:
        return entry | {"folder": "not here: only a checkout has the data sets"}
    if kind.corpus is None:
        return entry | {"folder": str(folder)}
    try:
        corpus = kind.corpus(folder)
    except CorpusError as error:
        return entry | {"folder": f"{folder}: {error}"}
    return entry | {
        "subjects": len(corpus.ids),
        "devices": len({labels.device.name for labels in corpus.labels}),
        "licence": corpus.licence,
        "folder": str(folder),
    }
