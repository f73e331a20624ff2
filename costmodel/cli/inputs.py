"""From the command line to raw inputs: files, encodings, and lines of JSON."""

from __future__ import annotations

import argparse
import io
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costmodel.kinds import KINDS, Kind, kind_of
from featurizers.core import Raw
from featurizers.errors import InputError

_HLS_FIELDS = ("part", "clock_period", "io_type", "backend")
_PROJECT_SUFFIXES = frozenset({".h", ".cpp", ".yml", ".yaml", ".json", ".tcl"})
_ENCODINGS = ("nasbench201", "fbnet", "ofa")


@dataclass(frozen=True, slots=True)
class Named:
    """One input with the name that messages call it by; `raw` is its error if it could not be read."""

    name: str
    raw: Raw | InputError


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say what is asked about."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="model files; the suffix tells the field")
    parser.add_argument("--kind", help="kind of input (default: the first kind that takes the file's suffix)")
    for encoding in _ENCODINGS:
        parser.add_argument(f"--{encoding}", action="append", default=[], metavar="ENCODING", help="may be repeated")
    parser.add_argument("--inputs", type=Path, metavar="FILE", help="an input per line, as JSON; '-' is standard input")
    parser.add_argument("--dim", action="append", default=[], metavar="NAME=SIZE", help="size of a dynamic dimension")
    parser.add_argument(
        "--field",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a field of every input: JSON, text, or @FILE with either",
    )
    group = parser.add_argument_group("hls4ml designs")
    group.add_argument("--hls-config", type=Path, metavar="FILE", help="hls4ml configuration, yml or JSON")
    group.add_argument("--part", metavar="NAME", help="FPGA part or board, e.g. xcu250-figd2104-2L-e or zcu102")
    group.add_argument("--clock-period", type=float, metavar="NS", help="in ns (default: the config's, else 5)")
    group.add_argument("--io-type", metavar="TYPE", help="io_parallel or io_stream")
    group.add_argument("--backend", metavar="NAME", help="Vivado or Vitis")
    group.add_argument("--strict", action="store_true", help="refuse reuse factors that hls4ml would correct")
    parser.add_argument("--allow-unknown-ops", action="store_true", help="answer with wider intervals")


def kind_asked(args: argparse.Namespace) -> Kind:
    """The kind named, or the first in the registry that takes the first file's suffix."""
    if args.kind is not None:
        return kind_of(args.kind)
    if any(getattr(args, encoding) for encoding in _ENCODINGS):
        return kind_of("network")
    if _is_about_hls(args):
        return kind_of("hls4ml")
    if not args.files:
        raise InputError("The command line", "must name files, encodings or --inputs with --kind")
    found = next((kind for kind in KINDS.values() if _field(kind, args.files[0])), None)
    if found is None:
        known = sorted({suffix for kind in KINDS.values() for suffix in kind.suffixes})
        raise InputError("The file", f"must end in one of {', '.join(known)}, or --kind be given", str(args.files[0]))
    return found


def _is_about_hls(args: argparse.Namespace) -> bool:
    return args.hls_config is not None or any(getattr(args, name) is not None for name in _HLS_FIELDS)


def _field(kind: Kind, path: Path) -> str | None:
    endings = (ending for ending in kind.suffixes if path.name.lower().endswith(ending))
    longest = max(endings, key=len, default=None)
    return None if longest is None else kind.suffixes[longest]


def read_inputs(args: argparse.Namespace, kind: Kind) -> Iterator[Named]:
    """Every input of the command line, one after the other."""
    shared = _shared_fields(args)
    for path in args.files:
        yield Named(str(path), _from_file(kind, path, shared))
    for encoding in _ENCODINGS:
        for text in getattr(args, encoding):
            yield Named(text, shared | {encoding: json.loads(text) if text.startswith("{") else text})
    if args.inputs is not None:
        yield from _from_lines(args.inputs, shared)
    elif shared and not args.files and not any(getattr(args, encoding) for encoding in _ENCODINGS):
        yield Named("the fields", shared)


def shared_fields(texts: Sequence[str]) -> dict[str, Any]:
    """The fields that ``--field NAME=VALUE`` options give: JSON, text, or @FILE with either."""
    fields: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise InputError("The option --field", "must be NAME=VALUE", text)
        fields[name] = _json_or_text(_file_text(value[1:]) if value.startswith("@") else value)
    return fields


def _shared_fields(args: argparse.Namespace) -> dict[str, Any]:
    fields = shared_fields(args.field)
    if args.dim:
        fields["dims"] = dimensions(args.dim)
    if args.hls_config is not None:
        fields["hls_config"] = _file_text(str(args.hls_config))
    fields |= {name: getattr(args, name) for name in _HLS_FIELDS if getattr(args, name) is not None}
    if args.strict:
        fields["strict"] = True
    if args.allow_unknown_ops:
        fields["allow_unknown_ops"] = True
    return fields


def _file_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("The file", f"must be readable UTF-8 text: {error}", path) from None


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def dimensions(texts: Sequence[str]) -> dict[str, int]:
    """The sizes that ``--dim NAME=SIZE`` options give."""
    return dict(_dimension(text) for text in texts)


def _dimension(text: str) -> tuple[str, int]:
    name, _, size = text.partition("=")
    if not name or not size.isdecimal():
        raise InputError("The option --dim", "must be NAME=SIZE, e.g. batch=1", text)
    return name, int(size)


def _from_file(kind: Kind, path: Path, shared: Mapping[str, Any]) -> Raw | InputError:
    field = "project" if path.is_dir() and "project" in kind.binary_fields else _field(kind, path)
    if field is None:
        return InputError(
            "The file", f"must end in one of {', '.join(kind.suffixes)} for kind '{kind.name}'", str(path)
        )
    try:
        content = _zipped(path) if path.is_dir() else path.read_bytes()
        if field == "*":
            return _from_line(content.decode(), shared)
        return {**shared, field: content if field in kind.binary_fields else content.decode()}
    except OSError as error:
        return InputError("The file", f"must be readable: {error.strerror}", str(path))
    except UnicodeDecodeError as error:
        return InputError("The file", f"must be UTF-8 text: {error.reason}", str(path))


def _zipped(folder: Path) -> bytes:
    """The sources of a project folder as an archive, which travels like any file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.suffix in _PROJECT_SUFFIXES and path.is_file():
                archive.write(path, path.relative_to(folder))
    return stream.getvalue()


def _from_lines(path: Path, shared: Mapping[str, Any]) -> Iterator[Named]:
    try:
        stream = sys.stdin if str(path) == "-" else path.open(encoding="utf-8")
    except OSError as error:
        raise InputError("The file", f"must be readable: {error.strerror}", str(path)) from None
    with stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield Named(f"{path}:{number}", _from_line(line, shared))


def _from_line(line: str, shared: Mapping[str, Any]) -> Raw | InputError:
    try:
        fields = json.loads(line)
    except ValueError as error:
        return InputError("The line", f"must be JSON: {error}", line.rstrip())
    if not isinstance(fields, dict):
        return InputError("The line", "must be a JSON object of named fields", line.rstrip())
    return {**shared, **fields}
