"""From a request's body to what is asked: devices, targets and raw inputs, whatever form the body has.

Three forms say the same: JSON, multipart/form-data (files beside form fields) and a bare file with query parameters.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from costmodel.wire import Question
from featurizers.core import Raw
from featurizers.errors import InputError, LimitError
from service.problems import RefusedError

T = TypeVar("T")
_DIM_FIELD = "dim"
_PLAIN = msgspec.json.Decoder[Any]()
_GUARDED_BYTES = 1 << 20
"""JSON below this size cannot hold enough values to hurt, and is not counted."""


Inputs = Sequence[Raw | InputError]
"""In the caller's order; one that could not even be read stands there as its error."""


class Asked:
    """What a request asks.

    texts : each input as the JSON that it came as; None where it came in another form.
    has_files : whether some input may be a file, which takes long enough to be read elsewhere than in the event loop.
    """

    __slots__ = ("_inputs", "_limits", "devices", "has_files", "targets", "texts", "weights")

    def __init__(
        self,
        devices: tuple[str, ...],
        targets: tuple[str, ...] | None,
        inputs: Inputs | None,
        has_files: bool,
        texts: list[bytes] | None = None,
        limits: Limits | None = None,
        weights: Mapping[str, float] | None = None,
    ):
        self.weights = weights
        self.devices, self.targets, self.has_files, self.texts = devices, targets, has_files, texts
        self._inputs, self._limits = inputs, limits

    @property
    def inputs(self) -> Inputs:
        """All of them, decoded when first needed."""
        if self._inputs is None:
            self._inputs = self.chosen(range(len(self)))
        return self._inputs

    def chosen(self, indices: Iterable[int]) -> Inputs:
        """Some of the inputs. Raises `RefusedError` (400)."""
        if self._inputs is not None:
            return [self._inputs[i] for i in indices]
        assert self.texts is not None
        assert self._limits is not None
        return _inputs_of((self.texts[i] for i in indices), self._limits)

    def with_texts(self, texts: list[bytes]) -> Asked:
        """The same question about other inputs."""
        return Asked(self.devices, self.targets, None, False, texts, self._limits)

    def __len__(self) -> int:
        return len(self.texts if self._inputs is None and self.texts is not None else self._inputs or ())


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a question, and which fields of its kind are files. marks : their names as they stand in JSON."""

    items_max: int
    json_values_max: int
    binary_fields: Collection[str]
    marks: tuple[bytes, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "marks", tuple(b'"%s"' % name.encode() for name in self.binary_fields))


class _RawQuestion(Question, forbid_unknown_fields=True, kw_only=True):
    """A question whose inputs are not read yet."""

    inputs: list[msgspec.Raw]


_QUESTION = msgspec.json.Decoder(_RawQuestion)


def from_json(body: bytes, limits: Limits) -> Asked:
    """Read a JSON body. Raises `RefusedError` (400), `LimitError` and `InputError`."""
    question = _decoded(_QUESTION, body, limits)
    devices = _one_or_many("device", question.device, question.devices) or ()
    targets = _one_or_many("target", question.target, question.targets)
    texts = [bytes(text) for text in question.inputs]
    # Only where to read it is decided by this: a name written with escapes is still found when it is read.
    has_files = any(mark in body for mark in limits.marks)
    return _checked(Asked(devices, targets, None, has_files, texts, limits, question.weights), limits)


def plain_json(body: bytes, limits: Limits) -> Any:
    """A JSON body as Python's own types. Raises `RefusedError` (400) and `LimitError`."""
    return _decoded(_PLAIN, body, limits)


def typed_json(decoder: msgspec.json.Decoder[T], body: bytes, limits: Limits) -> T:
    """A JSON body of one type. Raises `RefusedError` (400), `LimitError` and `InputError`."""
    return _decoded(decoder, body, limits)


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes, limits: Limits) -> T:
    if len(body) > _GUARDED_BYTES:
        values = sum(body.count(mark) for mark in (b",", b"[", b"{"))
        if values > limits.json_values_max:
            raise LimitError("The JSON body", f"must hold at most {limits.json_values_max} values", values)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        raise InputError("The JSON body", f"is wrong: {reason}", where=place.strip("`") or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, f"The body is not valid JSON: {error}") from None


def _one_or_many(name: str, one: str | None, many: list[str] | None) -> tuple[str, ...] | None:
    if one is not None and many is not None:
        raise InputError(f"The field '{name}'", f"must not stand beside '{name}s'", one)
    if one is not None:
        return (one,)
    return None if many is None else tuple(dict.fromkeys(many))


def _inputs_of(texts: Iterable[bytes], limits: Limits) -> list[Raw | InputError]:
    inputs: list[Raw | InputError] = []
    for item in _decoded(_PLAIN, b"[" + b",".join(texts) + b"]", limits):
        if not isinstance(item, dict):
            inputs.append(InputError("An input", "must be an object of named fields", item))
            continue
        files = [name for name in limits.binary_fields if name in item]
        inputs.append(with_bytes(item, files) if files else item)
    return inputs


def with_bytes(item: dict[str, Any], files: Iterable[str]) -> Raw | InputError:
    """`item` with the base64 strings of `files` decoded in place, or the error of one that is none."""
    for name in files:
        if _is_plain_json(item[name]):
            continue
        try:
            item[name] = base64.b64decode(item[name], validate=True)
        except (binascii.Error, TypeError, ValueError):
            return InputError(f"The field '{name}'", "must be a base64 string", item[name], where=name)
    return item


def _is_plain_json(value: Any) -> bool:
    """A model that is JSON itself (Keras') may stand there as it is."""
    return isinstance(value, dict) or (isinstance(value, str) and value.lstrip().startswith("{"))


def from_fields(fields: Iterable[tuple[str, str | bytes]], limits: Limits) -> Asked:
    """Read form fields and files, or query parameters and one file, in their order.

    ``device``, ``target`` and ``dim`` (``name=size``) may be repeated. Every other field belongs to the raw input:
    one given once is shared by all inputs, one given n times makes n inputs.
    """
    values = values_of(fields, limits, as_text=("device", "target"))
    devices = tuple(dict.fromkeys(values.pop("device", [])))
    targets = tuple(dict.fromkeys(values.pop("target", []))) or None
    return _checked(Asked(devices, targets, _dealt(values), True), limits)


def values_of(
    fields: Iterable[tuple[str, str | bytes]], limits: Limits, as_text: Collection[str] = ()
) -> dict[str, list[Any]]:
    """Form fields by name: files as bytes, ``dim`` gathered in ``dims``, the rest as numbers where it reads so."""
    dims: dict[str, int] = {}
    values: dict[str, list[Any]] = {}
    for name, value in fields:
        if name in limits.binary_fields:
            values.setdefault(name, []).append(value if isinstance(value, bytes) else value.encode())
            continue
        text = value if isinstance(value, str) else _utf8(name, value)
        if name == _DIM_FIELD:
            dims.update([_dimension(text)])
        else:
            values.setdefault(name, []).append(text if name in as_text else _plain(text))
    if dims:
        values["dims"] = [dims]
    return values


def _utf8(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"The field '{name}'", f"must be UTF-8 text: {error.reason}", where=name) from None


def _dimension(text: str) -> tuple[str, int]:
    name, _, size = text.partition("=")
    if not name or not size.isdecimal() or len(size) > 18:
        raise InputError("The field 'dim'", "must be name=size, e.g. batch=1", text)
    return name, int(size)


def _plain(text: str) -> Any:
    """A form field's value: a boolean or a number where it reads as one, else text."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if text.lstrip("-").isdecimal() and len(text) < 19 else float(text) if "." in text else text
    except ValueError:
        return text


def _dealt(values: Mapping[str, list[Any]]) -> list[Raw | InputError]:
    count = max((len(given) for given in values.values()), default=0)
    for name, given in values.items():
        if len(given) not in (1, count):
            raise InputError(
                f"The field '{name}'", f"must be given once or {count} times, as another field is", len(given)
            )
    return [{name: given[i if len(given) > 1 else 0] for name, given in values.items()} for i in range(count)]


def _checked(asked: Asked, limits: Limits) -> Asked:
    if not len(asked):
        raise InputError("The list of inputs", "must hold at least one input", 0)
    if len(asked) > limits.items_max:
        raise LimitError("The list of inputs", f"must hold at most {limits.items_max} inputs", len(asked))
    return asked
