"""``costmodel describe-host``: this machine as an input of the `cpu` kind, for predict, adapt and what-if."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from featurizers.cpu import describe_host
from featurizers.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it here (default: standard output)")


def run(args: argparse.Namespace) -> int:
    """Print one JSON object: lscpu, memory and, where the firmware names it, cloud and server type."""
    text = json.dumps(describe_host())
    if args.out is None:
        print(text)
        return 0
    try:
        args.out.write_text(text + "\n")
    except OSError as error:
        raise InputError("The file", f"must be writable: {error.strerror}", str(args.out)) from None
    return 0
