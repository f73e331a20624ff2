"""The parts of MLIR's bytecode that say how a module is built: names of operations, and the section that holds them.

Format: "MLIR Bytecode Format", version 6 (mlir.llvm.org/docs/BytecodeFormat). The writer of a later MLIR still writes
it when asked to. What an attribute or a type says is not read here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

VERSION = 6
IR = 4
_MAGIC = 4
_STRINGS, _DIALECTS = 0, 1
_ALIGNED = 0x80


SIZES = tuple(min((first & -first).bit_length(), 9) if first else 9 for first in range(256))
"""Bytes that a number takes, by the first of them: the zeros below its lowest one bit count those that follow."""


class Layout(NamedTuple):
    """data : the whole bytecode. start : of the section of operations. dialects, strings : the sections that name
    operations, see `names`; programs of one kind have the same."""

    data: bytes
    start: int
    dialects: bytes
    strings: bytes


class _Chunks:
    """A file that is written to."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.write = self.chunks.append


def written(operation: Any) -> Layout:
    """An operation of MLIR's bindings as bytecode. ValueError where it is not of this version."""
    file = _Chunks()
    operation.write_bytecode(file, desired_version=VERSION)
    return layout(b"".join(file.chunks))


def layout(data: bytes) -> Layout:
    """Where things lie in a module's bytecode."""
    version, at = varint(data, _MAGIC)
    if version != VERSION:
        raise ValueError(f"Bytecode of version {version}, not {VERSION}.")
    at = data.index(0, at) + 1
    sections: dict[int, tuple[int, int]] = {}
    while at < len(data):
        kind, start, at = section(data, at)
        sections[kind] = start, at
    dialects, strings = (data[slice(*sections[kind])] for kind in (_DIALECTS, _STRINGS))
    return Layout(data, sections[IR][0], dialects, strings)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where the next thing starts."""
    first = data[at]
    if first & 1:
        return first >> 1, at + 1
    size = SIZES[first]
    return int.from_bytes(data[at : at + size], "little") >> min(size, 8), at + size


def section(data: bytes, at: int) -> tuple[int, int, int]:
    """A section's kind, where its content starts, and where the next thing does."""
    kind = data[at]
    size, at = varint(data, at + 1)
    if kind & _ALIGNED:
        alignment, at = varint(data, at)
        at += -at % alignment
    return kind & ~_ALIGNED, at, at + size


def skip_use_orders(data: bytes, at: int, values: int) -> int:
    """Past the orders in which so many values list their uses."""
    listed, at = varint(data, at) if values != 1 else (1, at)
    for _ in range(listed):
        if values != 1:
            at += SIZES[data[at]]
        indices, at = varint(data, at)
        for _ in range(indices >> 1):
            at += SIZES[data[at]]
    return at


def names(dialects: bytes, strings: bytes) -> list[str]:
    """Full names of operations, by their number."""
    words = _words(strings)
    count, at = varint(dialects, 0)
    prefixes = []
    for _ in range(count):
        name, at = varint(dialects, at)
        prefixes.append(words[name >> 1].decode())
        if name & 1:  # with a version of its own
            _, _, at = section(dialects, at)
    total, at = varint(dialects, at)
    found: list[str] = []
    while len(found) < total:
        dialect, at = varint(dialects, at)
        own, at = varint(dialects, at)
        for _ in range(own):
            name, at = varint(dialects, at)
            found.append(f"{prefixes[dialect]}.{words[name >> 1].decode()}")
    return found


def _words(strings: bytes) -> list[bytes]:
    """All strings; their lengths stand first, the last string's before the others'."""
    count, at = varint(strings, 0)
    lengths = []
    for _ in range(count):
        length, at = varint(strings, at)
        lengths.append(length)
    found = []
    for length in reversed(lengths):
        found.append(strings[at : at + length - 1])
        at += length
    return found
