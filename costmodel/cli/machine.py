"""The one machine that ``adapt`` and ``what-if`` are about: a file of ``describe-host``, fields, or a server type."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from costmodel.cli.inputs import shared_fields
from featurizers.errors import InputError


def add_machine_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say which machine."""
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="what describe-host or lscpu -J wrote")
    parser.add_argument("--server", metavar="CLOUD/TYPE", help="a cloud server type, e.g. aws/m7i.large")
    parser.add_argument("--field", action="append", default=[], metavar="NAME=VALUE", help="a field; may be repeated")
    parser.add_argument("--target", action="append", default=None, help="only this benchmark; may be repeated")


def machine_asked(args: argparse.Namespace) -> dict[str, Any]:
    """The raw input. Raises InputError where none is given or the file cannot be read."""
    raw = {} if args.file is None else _from_file(args.file)
    raw |= shared_fields(args.field)
    if args.server is not None:
        raw["server"] = args.server
    if not raw:
        raise InputError("The command line", "must name a file, --server or --field")
    return raw


def _from_file(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError("The file", f"must be readable: {error.strerror}", str(path)) from None
    except ValueError as error:
        raise InputError("The file", f"must be JSON: {error}", str(path)) from None
    if not isinstance(found, dict):
        raise InputError("The file", "must hold a JSON object of fields", str(path))
    return found


def numbers(option: str, texts: list[str]) -> dict[str, float]:
    """``NAME=NUMBER`` options by name; the last equals sign divides, since benchmarks' names hold some."""
    found: dict[str, float] = {}
    for text in texts:
        name, separator, value = text.rpartition("=")
        try:
            found[name] = float(value)
        except ValueError:
            separator = ""
        if not separator or not name:
            raise InputError(f"The option --{option}", "must be NAME=NUMBER", text)
    return found
