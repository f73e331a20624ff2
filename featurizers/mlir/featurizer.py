"""`MlirFeaturizer`: MLIR text or bytecode -> loop nests -> named columns, token streams and graphs."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from featurizers.core import Column, Features, Featurizer, IntArray, Raw
from featurizers.errors import InputError, UnknownNameError
from featurizers.mlir import vocabulary
from featurizers.mlir.columns import COLUMNS, row
from featurizers.mlir.cpus import DEFAULT, cpu
from featurizers.mlir.graph import NODE_COLUMNS, graph
from featurizers.mlir.limits import BYTECODE_MAGIC, Limits, check
from featurizers.mlir.module import Module
from featurizers.mlir.parts import PART_COLUMNS, WORK, parts_of
from featurizers.mlir.program import Program, program
from featurizers.mlir.tokens import tokens
from featurizers.mlir.worker import Pool

_FIELDS = ("mlir", "file")
_OPTIONS = ("dims", "function", "allow_unregistered")
_pool: Pool | None = None
_pool_lock = threading.Lock()
_here = threading.local()


class MlirFeaturizer(Featurizer[Program]):
    """Featurizer of MLIR programs. The profile of `features` is the name of a CPU (see ``tables/cpus.csv``).

    Parameters
    ----------
    limits : of what is parsed.
    in_process : parse here instead of in a worker process: faster, for input that is trusted.
    """

    kind = "mlir"
    version = "13"
    columns: tuple[Column, ...] = COLUMNS
    part_columns: tuple[Column, ...] = PART_COLUMNS

    def __init__(self, limits: Limits | None = None, in_process: bool = False):
        self.limits = limits or Limits()
        self._own = threading.local() if in_process else None

    def parse(self, raw: Raw) -> Program:
        """One module.

        `raw` holds ``mlir`` (text) or ``file`` (bytes, of text or bytecode), and options: ``dims``
        {"arg0.1" or "f:arg0.1" for a dimension, "arg2" for an index, "*" for all dimensions: size}, ``function``
        (analyse that one only), ``allow_unregistered`` (operations of unknown dialects are taken as they are).
        """
        source, bytecode = _source(raw)
        check(source, self.limits)
        allowed, function = _flag(raw, "allow_unregistered"), _function(raw)
        module = self._parse(source, bytecode, allowed, function)
        return program(module, _dims(raw), function)

    def _parse(self, source: bytes, bytecode: bool, allow_unregistered: bool, keep: str | None) -> Module:
        if self._own is None:
            return _shared_pool(self.limits).parse(source, bytecode, allow_unregistered, keep)
        parser = getattr(self._own, "parser", None)
        if parser is None:
            from featurizers.mlir.bindings import Parser

            parser = self._own.parser = Parser()
        module: Module = parser.parse(source if bytecode else source.decode(), allow_unregistered, keep)
        return module

    def features(
        self, subjects: Sequence[Program], *, profile: str = "", names: bool = False, extras: Collection[str] = ()
    ) -> Features:
        """Columns on the CPU that `profile` names; parts (loops) with `names`; see `EXTRAS` for the rest."""
        target = cpu(profile or DEFAULT)
        width = len(COLUMNS)
        rows = [row(s, target) for s in subjects]
        vectors = np.concatenate(rows).reshape(-1, width) if rows else np.zeros((0, width), np.float32)
        return Features(
            vectors,
            COLUMNS,
            parts_of(subjects, target, names) if names else None,
            PART_COLUMNS,
            tuple(graph(s) for s in subjects) if "graphs" in extras else (),
            NODE_COLUMNS,
            _sequences(subjects) if "sequences" in extras else {},
            {name: vocabulary.words(name) for name in (*vocabulary.STREAMS, "nodes", "edges")} if extras else {},
        )

    def pieces(self, subject: Program) -> Mapping[str, Program]:
        """Functions that do not call one another."""
        return subject.pieces()

    def vocabulary(self, stream: str) -> tuple[str, ...]:
        """The words of a token stream, of graph ``nodes`` or ``edges``. KeyError when there is no such list."""
        return vocabulary.words(stream)

    def part_ops(self, features: Features) -> list[str]:
        """The kind of work of each part, e.g. ``fmul`` or ``load``."""
        assert features.parts is not None
        return [WORK[int(code)] for code in features.parts.matrix[:, 0].tolist()]

    def warm(self, profiles: Sequence[str]) -> None:
        """Start the parser's process."""
        if self._own is None:
            _shared_pool(self.limits).warm()


def featurize_module(module: Any, dims: Mapping[str, int] | None = None) -> Program:
    """The subject of a module (or function) of MLIR's Python bindings that lives in this process already."""
    from featurizers.mlir.bindings import Reader

    reader = getattr(_here, "reader", None)
    if reader is None:
        reader = _here.reader = Reader()
    return program(reader.read(getattr(module, "operation", module)), dims)


def _sequences(subjects: Sequence[Program]) -> dict[str, tuple[IntArray, ...]]:
    return {stream: tuple(tokens(s.module, stream) for s in subjects) for stream in vocabulary.STREAMS}


def _shared_pool(limits: Limits) -> Pool:
    global _pool
    with _pool_lock:
        if _pool is None or _pool.limits != limits:
            if _pool is not None:
                _pool.close()
            else:
                atexit.register(_close_pool)
            _pool = Pool(limits)
        return _pool


def _close_pool() -> None:
    if _pool is not None:
        _pool.close()


def _source(raw: Raw) -> tuple[bytes, bool]:
    if not isinstance(raw, Mapping):
        raise InputError("An MLIR program", "must be a mapping of fields", type(raw).__name__)
    for key in raw:
        if key not in _FIELDS and key not in _OPTIONS:
            raise UnknownNameError("field of an MLIR program", str(key), (*_FIELDS, *_OPTIONS))
    given = [key for key in _FIELDS if key in raw]
    if len(given) != 1:
        raise InputError("An MLIR program", f"must be given by exactly one of {', '.join(_FIELDS)}", given)
    source = raw[given[0]]
    if isinstance(source, str):
        if given[0] == "file":
            raise InputError("The field 'file'", "must be the bytes of a file", "text")
        source = source.encode(errors="surrogatepass")
    if not isinstance(source, bytes | bytearray | memoryview):
        raise InputError(f"The field '{given[0]}'", "must be text, or the bytes of a file", type(source).__name__)
    data = bytes(source)
    return data, data.startswith(BYTECODE_MAGIC)


def _flag(raw: Raw, name: str) -> bool:
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise InputError(f"The option '{name}'", "must be true or false", value)
    return value


def _function(raw: Raw) -> str | None:
    value = raw.get("function")
    if value is not None and not isinstance(value, str):
        raise InputError("The option 'function'", "must be a function's name", value)
    return value


def _dims(raw: Raw) -> dict[str, int]:
    dims = raw.get("dims") or {}
    if not isinstance(dims, Mapping):
        raise InputError("The option 'dims'", "must map names of dimensions to sizes", dims)
    found = {}
    for key, value in dims.items():
        if isinstance(value, float) and value == int(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**40:
            raise InputError(f"The dimension '{key}'", "must be a whole number from 0 to 2^40", value)
        found[str(key)] = value
    return found
