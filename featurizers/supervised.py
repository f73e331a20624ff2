"""Files of strangers are read in processes of their own, with limits on memory and time; see `featurizers.processes`.

``python -m featurizers.supervised MEMORY_BYTES`` is the other end. Inputs without a file are read where they are: their
forms are short, and reading them costs less than the way to another process.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from featurizers.core import Featurizer, Raw
from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.processes import Process, ProcessDied, Processes, serve

_MODULE = "featurizers.supervised"


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """Of one input: seconds, and the memory of the process that reads it."""

    seconds: float = 20.0
    memory_bytes: int = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class _Reader:
    """How a kind's files are read over there, and how its subjects come here."""

    parse: Callable[[Raw], Any]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def _network() -> _Reader:
    from featurizers.network import NetworkFeaturizer
    from featurizers.network.coding import decode, encode

    return _Reader(NetworkFeaturizer().parse, encode, decode)


def _hls4ml() -> _Reader:
    from featurizers.hls4ml import HlsDesign, HlsFeaturizer

    return _Reader(HlsFeaturizer().parse, msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(HlsDesign).decode)


READERS: Mapping[str, Callable[[], _Reader]] = {"network": _network, "hls4ml": _hls4ml}
"""Kinds whose files are read elsewhere. MLIR has a parser process of its own, whoever asks; servers have no files."""


class _Question(msgspec.Struct, array_like=True):
    kind: str
    raw: dict[str, Any]


class _Error(msgspec.Struct, array_like=True):
    code: str
    message: str
    what: str
    rule: str
    value: str | None
    where: str | None
    known: list[str]


class _Answer(msgspec.Struct, array_like=True):
    subject: bytes | None
    error: _Error | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Answer).decode
_ERRORS = {each.code: each for each in (InputError, LimitError, UnknownNameError)}


class Supervised(Processes):
    """Reads files in processes. deaths : how many processes ended while they read."""

    def __init__(self, limits: ReadingLimits | None = None, size: int | None = None):
        self.limits = limits or ReadingLimits()
        arguments = [str(self.limits.memory_bytes)]
        super().__init__(lambda: Process(_MODULE, arguments, self.limits.seconds), size)

    def parse(self, kind: str, raw: Raw, decode: Callable[[bytes], Any]) -> Any:
        """The subject. Raises InputError: what the reader says, or that it broke, or took too long."""
        message = _message(kind, raw)
        try:
            with self.one() as process:
                answer = _decode(process.ask(message))
        except ProcessDied as death:
            raise _broken(death, self.limits) from None
        if answer.error is not None:
            raise _error_of(answer.error)
        assert answer.subject is not None
        try:
            return decode(answer.subject)
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError) as error:
            # Hostile input made the reader give something that is no subject.
            raise InputError(
                "The file", f"broke its reader ({type(error).__name__}), and was not read further"
            ) from error

    def warm(self, kind: str) -> None:
        """Start a process that has read one (empty) file of the kind."""
        try:
            self.parse(kind, {"onnx": b""}, lambda content: content)
        except InputError:
            return


def _message(kind: str, raw: Raw) -> bytes:
    try:
        return _encode(_Question(kind, dict(raw)))
    except (TypeError, OverflowError, RecursionError) as error:
        raise InputError("An input", f"cannot be handed on: {error}") from None


def _broken(death: ProcessDied, limits: ReadingLimits) -> InputError:
    if str(death) == "TimeoutError":
        return LimitError("The file", f"must be read within {limits.seconds:g} s")
    return InputError("The file", "broke its reader (it crashed, or needed more memory than it may have)")


def _error_of(told: _Error) -> InputError:
    """The error as it was raised over there: the same class, members and text."""
    error = InputError.__new__(_ERRORS.get(told.code, InputError), told.message)
    error.args = (told.message,)
    error.what, error.rule, error.value, error.where = told.what, told.rule, told.value, told.where
    if isinstance(error, UnknownNameError):
        error.known = told.known
    return error


class SupervisedFeaturizer:
    """A featurizer whose files are read in processes; in all else the one that it stands for."""

    def __init__(self, base: Featurizer[Any], processes: Supervised):
        self._base, self._processes = base, processes
        self._decode = READERS[base.kind]().decode
        self.kind, self.version = base.kind, base.version
        self.columns, self.part_columns = base.columns, base.part_columns
        self.features, self.pieces = base.features, base.pieces
        self.match_parts, self.part_ops = base.match_parts, base.part_ops

    def parse(self, raw: Raw) -> Any:
        """As the featurizer's own. Raises InputError, also for what broke the reader."""
        if isinstance(raw, Mapping) and any(isinstance(value, bytes) for value in raw.values()):
            return self._processes.parse(self.kind, raw, self._decode)
        return self._base.parse(raw)

    def warm(self, profiles: Any) -> None:
        """The base's, and a process that has imported what it needs."""
        self._base.warm(profiles)
        self._processes.warm(self.kind)


class _Desk:
    """Answers questions over there; readers are made when first needed."""

    def __init__(self) -> None:
        self._readers: dict[str, _Reader] = {}
        self._decode = msgspec.msgpack.Decoder(_Question).decode

    def answer(self, message: bytes) -> bytes:
        question = self._decode(message)
        if question.kind not in self._readers:
            self._readers[question.kind] = READERS[question.kind]()
        reader = self._readers[question.kind]
        try:
            return _encode(_Answer(reader.encode(reader.parse(question.raw))))
        except InputError as error:
            return _encode(_Answer(None, _told(error)))
        except MemoryError:
            rule = "needs more memory to be read than it may have"
            return _encode(_Answer(None, _told(LimitError("The file", rule))))
        except Exception as error:
            # Hostile input found a fault of ours: it costs this answer, as a crash would.
            traceback.print_exc()
            rule = f"broke its reader ({type(error).__name__}), and was not read further"
            return _encode(_Answer(None, _told(InputError("The file", rule))))


def _told(error: InputError) -> _Error:
    known = list(getattr(error, "known", ()))
    return _Error(error.code, str(error), error.what, error.rule, error.value, error.where, known)


if __name__ == "__main__":
    serve(_Desk().answer, int(sys.argv[1]))
