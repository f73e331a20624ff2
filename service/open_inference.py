"""The Open Inference Protocol, version 2: tensors in, tensors out, in JSON or with binary tensors behind the JSON.

https://github.com/kserve/open-inference-protocol, and Triton's binary tensor extension, which its client uses unasked.
A tensor named ``input`` holds raw inputs as JSON text; any other tensor is a field of the raw inputs by its name.
Device and target are parameters of the request. Per target there are tensors ``<target>``, ``<target>_low``,
``<target>_high`` (FP64) and ``<target>_in_domain`` (BOOL).
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from costmodel.prediction import Prediction
from costmodel.predictor import Predictor
from featurizers.errors import InputError, LimitError, UnknownNameError
from service.asked import with_bytes
from service.problems import RefusedError

EXTENSIONS: Final = ("binary_tensor_data",)
HEADER_LENGTH: Final = "inference-header-content-length"
_TYPES: Final = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
_DOCUMENT: Final = "input"
_LENGTH: Final = struct.Struct("<I")


class Tensor(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`data` in row-major order, nested or not; absent where it is binary (`parameters.binary_data_size`)."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class Wanted(msgspec.Struct, kw_only=True):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class InferQuestion(msgspec.Struct, kw_only=True):
    """``parameters``: ``device`` and ``target``, or several joined by commas."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[Wanted] | None = None


class InferAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The tensors, in the order in which they were asked for."""

    model_name: str
    model_version: str
    outputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] = {}


class TensorInfo(msgspec.Struct, frozen=True):
    """A tensor of a model: -1 in its shape is the number of inputs."""

    name: str
    datatype: str
    shape: list[int]


class ServerMetadata(msgspec.Struct, frozen=True):
    """What this server is."""

    name: str
    version: str
    extensions: tuple[str, ...] = EXTENSIONS


class ModelMetadata(msgspec.Struct, frozen=True):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]


class Live(msgspec.Struct, frozen=True):
    """Whether the server lives."""

    live: bool


class Ready(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the server, or the named model, can answer."""

    ready: bool
    name: str | None = None


_decode = msgspec.json.Decoder(InferQuestion).decode


def metadata_of(predictor: Predictor) -> ModelMetadata:
    """The tensors of a predictor."""
    outputs = [
        TensorInfo(name, datatype, [-1]) for target in predictor.targets for name, datatype in _output_names(target)
    ]
    inputs = [TensorInfo(_DOCUMENT, "BYTES", [-1])]
    return ModelMetadata(predictor.name, [predictor.version], "costmodel", inputs, outputs)


def _output_names(target: str) -> list[tuple[str, str]]:
    return [(target, "FP64"), (f"{target}_low", "FP64"), (f"{target}_high", "FP64"), (f"{target}_in_domain", "BOOL")]


def infer(
    predictor: Predictor, body: bytes, json_length: int | None, binary_fields: Sequence[str], items_max: int
) -> tuple[bytes, int | None]:
    """The answer's body, and the length of its JSON where binary tensors follow. Raises InputError, RefusedError."""
    question = _question(body if json_length is None else body[:json_length])
    raws = _raws(question.inputs, b"" if json_length is None else body[json_length:], binary_fields)
    if len(raws) > items_max:
        raise LimitError("The tensors", f"must hold at most {items_max} inputs", len(raws))
    device, targets = _device(predictor, question.parameters), _named(question.parameters, "target")
    outcomes = predictor.predict(raws, [device], targets)
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, InputError):
            # Tensors have no place for one input's error.
            raise InputError(f"Input {index}", f"is refused: {outcome}", where=f"inputs[{index}]")
    return _encoded(predictor, question, [outcome for outcome in outcomes if not isinstance(outcome, InputError)])


def _question(text: bytes) -> InferQuestion:
    try:
        return _decode(text)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        raise InputError("The JSON body", f"is wrong: {reason}", where=place.strip("`") or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, f"The body is not valid JSON: {error}") from None


def _named(parameters: Mapping[str, Any], name: str) -> list[str] | None:
    given = parameters.get(name)
    if given is not None and not isinstance(given, str):
        raise InputError(f"The parameter '{name}'", "must be a string", given)
    return [each.strip() for each in given.split(",") if each.strip()] or None if given else None


def _device(predictor: Predictor, parameters: Mapping[str, Any]) -> str:
    named = _named(parameters, "device") or ([predictor.default_device] if predictor.default_device else [])
    if len(named) != 1:
        raise InputError("The parameter 'device'", f"must name one of: {', '.join(sorted(predictor.devices))}", named)
    if named[0] not in predictor.devices:
        raise UnknownNameError("device", named[0], predictor.devices)
    return named[0]


def _raws(tensors: Sequence[Tensor], binary: bytes, binary_fields: Sequence[str]) -> list[dict[str, Any]]:
    raws: list[dict[str, Any]] | None = None
    for tensor in tensors:
        size = tensor.parameters.get("binary_data_size")
        if size is not None and (not isinstance(size, int) or not 0 <= size <= len(binary)):
            raise InputError(f"The tensor '{tensor.name}'", "must have a binary_data_size within the body", size)
        own, binary = (binary[:size], binary[size:]) if size is not None else (None, binary)
        values = _values(tensor, own, tensor.name in binary_fields)
        raws = [{} for _ in values] if raws is None else raws
        if len(values) != len(raws):
            raise InputError(f"The tensor '{tensor.name}'", f"must hold {len(raws)} values as the first", len(values))
        for raw, value in zip(raws, values, strict=True):
            raw.update(_document(value, binary_fields) if tensor.name == _DOCUMENT else {tensor.name: value})
    if not raws:
        raise InputError("The list of inputs", "must hold at least one tensor with one value", 0)
    return raws


def _document(text: Any, binary_fields: Sequence[str]) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError) as error:
        raise InputError(f"The tensor '{_DOCUMENT}'", f"must hold JSON text: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"The tensor '{_DOCUMENT}'", "must hold JSON objects", found)
    read = with_bytes(found, [name for name in binary_fields if name in found])
    if isinstance(read, InputError):
        raise read
    return read


def _values(tensor: Tensor, binary: bytes | None, is_file: bool) -> list[Any]:
    if tensor.datatype not in (*_TYPES, "BYTES"):
        raise UnknownNameError("datatype", tensor.datatype, (*_TYPES, "BYTES"))
    if binary is None:
        values = list(_flat(tensor.data or []))
        if is_file:
            values = [_base64(tensor.name, value) for value in values]
    elif tensor.datatype == "BYTES":
        values = [value if is_file else _text(tensor.name, value) for value in _strings(tensor.name, binary)]
    else:
        values = _numbers(tensor, binary)
    expected = int(np.prod([max(size, 0) for size in tensor.shape], dtype=object)) if tensor.shape else 1
    if len(values) != expected:
        raise InputError(f"The tensor '{tensor.name}'", f"must hold as many values as its shape {tensor.shape} says",
                         len(values))  # fmt: skip
    return values


def _flat(data: Any) -> Iterator[Any]:
    for value in data:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _base64(name: str, value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InputError(f"The tensor '{name}'", "must hold base64 strings in JSON, or be binary", value) from None


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"The tensor '{name}'", f"must be UTF-8 text: {error.reason}") from None


def _strings(name: str, binary: bytes) -> list[bytes]:
    found, place = [], 0
    while place < len(binary):
        end = place + _LENGTH.size
        size = _LENGTH.unpack(binary[place:end])[0] if end <= len(binary) else len(binary)
        if end + size > len(binary):
            raise InputError(f"The tensor '{name}'", "must be strings behind their lengths", where=f"byte {place}")
        found.append(binary[end : end + size])
        place = end + size
    return found


def _numbers(tensor: Tensor, binary: bytes) -> list[Any]:
    kind = np.dtype(_TYPES[tensor.datatype])
    if len(binary) % kind.itemsize:
        raise InputError(f"The tensor '{tensor.name}'", f"must be whole values of {kind.itemsize} bytes", len(binary))
    values: list[Any] = np.frombuffer(binary, dtype=kind).tolist()
    return values


def _encoded(
    predictor: Predictor, question: InferQuestion, answered: Sequence[Sequence[Prediction]]
) -> tuple[bytes, int | None]:
    columns = _columns(answered)
    every = bool(question.parameters.get("binary_data_output"))
    wanted = question.outputs or [Wanted(name=name, parameters={"binary_data": every}) for name in columns]
    outputs, behind = [], []
    for each in wanted:
        if each.name not in columns:
            raise UnknownNameError("output", each.name, columns)
        datatype, values, told = columns[each.name]
        tensor = Tensor(name=each.name, shape=[len(values)], datatype=datatype, parameters=told)
        if each.parameters.get("binary_data", every):
            packed = np.asarray(values, dtype=_TYPES[datatype]).tobytes()
            tensor.parameters = {**told, "binary_data_size": len(packed)}
            behind.append(packed)
        else:
            tensor.data = values
        outputs.append(tensor)
    answer = InferAnswer(
        model_name=predictor.name, model_version=predictor.version, outputs=outputs, id=question.id
    )  # fmt: skip
    text = msgspec.json.encode(answer)
    return text + b"".join(behind), len(text) if behind else None


def _columns(answered: Sequence[Sequence[Prediction]]) -> dict[str, tuple[str, list[Any], dict[str, Any]]]:
    """By output its datatype, its values, and what there is to know about them."""
    columns: dict[str, tuple[str, list[Any], dict[str, Any]]] = {}
    for place, first in enumerate(answered[0]):
        own = [predictions[place] for predictions in answered]
        told = {"unit": first.unit, "device": first.device, "coverage": first.coverage}
        parts: tuple[list[Any], ...] = (
            [p.value for p in own], [p.low for p in own], [p.high for p in own], [p.in_domain for p in own],
        )  # fmt: skip
        for (name, datatype), values in zip(_output_names(first.target), parts, strict=True):
            columns[name] = (datatype, values, told)
    return columns
