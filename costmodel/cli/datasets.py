"""``costmodel datasets`` and ``costmodel datasets pull sparecores --out DIR``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from costmodel.cli.output import print_json, print_table
from costmodel.corpus import CorpusError
from costmodel.cpu.origins import parse_origin
from costmodel.cpu.pull import CARDS, pull, pull_origin, pull_tables, read_card
from costmodel.hls4ml.hub import HUB, NOTICE, pull_collection
from costmodel.hls4ml.hub import NAME as COLLECTION
from costmodel.kinds import KINDS
from costmodel.paths import dataset_folder
from featurizers.errors import InputError

_PULLED = (*CARDS, COLLECTION)
_HEADER = ("data set", "kind", "subjects", "devices", "licence", "folder")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("action", nargs="?", choices=("list", "pull"), default="list")
    parser.add_argument("name", nargs="?", choices=_PULLED, metavar="NAME", help=f"to pull: {', '.join(_PULLED)}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to put what is pulled (default: ./NAME)")
    parser.add_argument("--mirror", type=Path, metavar="DIR", help="take the tables from a folder of data sets")
    parser.add_argument("--url", help="take the tables from an HTTP mirror of such a folder")
    parser.add_argument("--subset", default="", metavar="PREFIX", help=f"of {COLLECTION}: only paths that begin so")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _pull(args: argparse.Namespace) -> int:
    """Tables from a mirror, or else made from the origin's archives at the commits of the card; each file is checked.

    Archives that lie in --out already are not fetched again.
    """
    if args.name is None:
        raise InputError("The command line", f"must name the data set to pull: {', '.join(_PULLED)}")
    if args.name == COLLECTION:
        return _pull_collection(args)
    card = read_card(dataset_folder(args.name))
    out = args.out or Path(args.name)
    if args.mirror is not None:
        paths = pull(card, args.mirror, out)
    elif args.url is not None:
        paths = pull_tables(card, args.url, out)
    else:
        paths = parse_origin(args.name, pull_origin(card, out), out)
    for path in paths:
        print(path)
    print(f"licence: {card['licence']} ({card['licence_holder']})")
    return 0


def _pull_collection(args: argparse.Namespace) -> int:
    if args.mirror is not None:
        raise InputError("The option --mirror", f"must not be given for {COLLECTION}: it comes from a hub (--url)")
    print(NOTICE, file=sys.stderr)
    pull_collection(args.out or Path(COLLECTION), args.url or HUB, args.subset)
    return 0


def run(args: argparse.Namespace) -> int:
    """Print the data set of each kind; reading it checks it against its schema."""
    if args.action == "pull":
        return _pull(args)
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
