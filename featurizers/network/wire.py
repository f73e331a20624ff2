"""Protocol Buffers wire format, as far as ONNX uses it, read without copying a weight.

A 500 MB file costs its nodes only: a weight's bytes are stepped over. The schema is onnx.proto3 of ONNX 1.23.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from featurizers.errors import InputError

Span = tuple[int, int]
Field = tuple[int, int | Span | bytes]


def broken(reason: str, offset: int) -> InputError:
    return InputError("The ONNX file", f"must be a whole protobuf message: {reason}", where=f"byte {offset}")


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number at `at` and the offset after it."""
    result = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
    raise broken("a number is cut off", at)


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """(field number, value) of one message; a value is an int, the span of a nested field, or 4 or 8 raw bytes."""
    at = start
    while at < end:
        key = data[at]
        at += 1
        if key >= 0x80:
            key, at = varint(data, at - 1, end)
        kind = key & 7
        if kind == 2:
            if at < end and data[at] < 0x80:
                length, at = data[at], at + 1
            else:
                length, at = varint(data, at, end)
            if at + length > end:
                raise broken("a field is longer than what is left of the file", at)
            yield key >> 3, (at, at + length)
            at += length
        elif kind == 0:
            value, at = varint(data, at, end)
            yield key >> 3, value
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            if at + size > end:
                raise broken("a number is cut off", at)
            yield key >> 3, data[at : at + size]
            at += size
        else:
            raise broken(f"wire type {kind} is not in use", at)


def span_of(value: int | Span | bytes, at: int) -> Span:
    if isinstance(value, tuple):
        return value
    raise broken("a message is expected and a number was found", at)


def number_of(value: int | Span | bytes, at: int) -> int:
    if isinstance(value, int):
        return value
    raise broken("a number is expected and a message was found", at)


def signed(value: int) -> int:
    """int64 as protobuf writes it: two's complement in ten bytes."""
    return value - (1 << 64) if value >= 1 << 63 else value


def text(data: bytes, span: Span) -> str:
    try:
        return data[span[0] : span[1]].decode()
    except UnicodeDecodeError:
        raise broken("a name is not UTF-8", span[0]) from None


def integers(data: bytes, value: int | Span | bytes) -> list[int]:
    """A repeated int field: one number, or many packed."""
    if isinstance(value, int):
        return [signed(value)]
    at, end = span_of(value, 0)
    numbers = []
    while at < end:
        number, at = varint(data, at, end)
        numbers.append(signed(number))
    return numbers


def floats(data: bytes, value: int | Span | bytes, code: str = "f") -> list[float]:
    """A repeated float (`code` ``f``) or double (``d``) field: one number, or many packed."""
    size = struct.calcsize(code)
    raw = value if isinstance(value, bytes) else data[slice(*span_of(value, 0))]
    if len(raw) % size:
        raise broken("a list of floating point numbers is cut off", 0)
    return list(struct.unpack(f"<{len(raw) // size}{code}", raw))


@dataclass(slots=True)
class RawTensor:
    """A TensorProto without its numbers: dims, element type and where its numbers lie."""

    name: str = ""
    dims: list[int] = field(default_factory=list)
    elem_type: int = 0
    raw: Span | None = None
    typed: list[tuple[int, int | Span | bytes]] = field(default_factory=list)
    external: bool = False


def read_tensor(data: bytes, span: Span) -> RawTensor:
    tensor = RawTensor()
    for number, value in fields(data, *span):
        if number == 1:
            tensor.dims.extend(integers(data, value))
        elif number == 2:
            tensor.elem_type = number_of(value, span[0])
        elif number == 8:
            tensor.name = text(data, span_of(value, span[0]))
        elif number == 9:
            tensor.raw = span_of(value, span[0])
        elif number in (4, 5, 7, 10, 11):
            tensor.typed.append((number, value))
        elif number == 14:
            tensor.external = value == 1
    return tensor


@dataclass(slots=True)
class RawValue:
    """A ValueInfoProto: a dim is its size, or its symbolic name (``""`` when it has none). `dims` None: no shape."""

    name: str = ""
    elem_type: int = 0
    dims: list[int | str] | None = None
    is_tensor: bool = True


def read_value_info(data: bytes, span: Span) -> RawValue:
    info = RawValue()
    for number, value in fields(data, *span):
        if number == 1:
            info.name = text(data, span_of(value, span[0]))
        elif number == 2:
            _read_type(data, span_of(value, span[0]), info)
    return info


def _read_type(data: bytes, span: Span, info: RawValue) -> None:
    for number, value in fields(data, *span):
        if number != 1:
            info.is_tensor = number == 6
            continue
        for inner, content in fields(data, *span_of(value, span[0])):
            if inner == 1:
                info.elem_type = number_of(content, span[0])
            elif inner == 2:
                dims = fields(data, *span_of(content, span[0]))
                info.dims = [_read_dim(data, span_of(d, span[0])) for n, d in dims if n == 1]


def _read_dim(data: bytes, span: Span) -> int | str:
    for number, value in fields(data, *span):
        if number == 1:
            return signed(number_of(value, span[0]))
        if number == 2:
            return text(data, span_of(value, span[0]))
    return ""
