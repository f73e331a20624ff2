"""The parser in a process of its own, see `featurizers.processes`.

``python -m featurizers.mlir.worker`` is the other end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec

from featurizers.errors import InputError, LimitError
from featurizers.mlir.limits import Limits
from featurizers.mlir.module import Module
from featurizers.processes import Process, ProcessDied, Processes, serve

WorkerDied = ProcessDied


class Request(msgspec.Struct, array_like=True):
    """One source to parse. keep : a function that is asked about, called by others or not."""

    source: bytes
    bytecode: bool
    allow_unregistered: bool
    keep: str | None = None


class Answer(msgspec.Struct, array_like=True):
    """A module, or why there is none: what, rule, where."""

    module: Module | None
    error: tuple[str, str, str | None] | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Answer).decode


class Worker:
    """One parser process. Not thread-safe; see `Pool`."""

    def __init__(self, limits: Limits):
        self.process = Process("featurizers.mlir.worker", [str(limits.memory_bytes)], limits.seconds)

    def ask(self, request: Request) -> Answer:
        """Raises WorkerDied when there is no answer in time, or ever; the worker is then gone."""
        return answer_of(self.process, request)


def answer_of(process: Process, request: Request) -> Answer:
    """What a parser process says. Raises WorkerDied."""
    try:
        return _decode(process.ask(_encode(request)))
    except msgspec.DecodeError as error:
        process.close()
        raise ProcessDied(type(error).__name__) from error


class Pool(Processes):
    """As many workers as threads ask at once, at most `size`; a worker that dies is replaced when next needed."""

    def __init__(self, limits: Limits, size: int | None = None):
        super().__init__(lambda: Worker(limits).process, size)
        self.limits = limits

    def parse(self, source: bytes, bytecode: bool, allow_unregistered: bool, keep: str | None = None) -> Module:
        """Raises InputError: refused by the parser (with its place), or the parser broke on it."""
        try:
            with self.one() as process:
                answer = answer_of(process, Request(source, bytecode, allow_unregistered, keep))
        except ProcessDied as death:
            raise _broken(death, self.limits) from None
        if answer.error is not None:
            what, rule, where = answer.error
            raise InputError(what, rule, where=where)
        assert answer.module is not None
        return answer.module

    def warm(self) -> None:
        """Start one worker now, with what programs on memory and on tensors need, so that no request waits for it."""
        for program in _PROGRAMS:
            self.parse(program, False, False)


_PROGRAMS = (
    b"""func.func @f(%a: memref<8x8xf32>, %n: index) {
  %c = arith.constant 1 : index
  affine.for %i = 0 to 8 {
    %x = affine.load %a[%i, %i] : memref<8x8xf32>
    %y = arith.addf %x, %x : f32
    affine.store %y, %a[%i, 0] : memref<8x8xf32>
  }
  scf.for %i = %c to %n step %c {
    %x = memref.load %a[%i, %c] : memref<8x8xf32>
    %y = math.exp %x : f32
    memref.store %y, %a[%c, %i] : memref<8x8xf32>
  }
  return
}""",
    b"""func.func @f(%a: tensor<8x8xf32>, %v: vector<8xf32>) -> (tensor<8x8xf32>, vector<8xf32>) {
  %m = linalg.matmul ins(%a, %a : tensor<8x8xf32>, tensor<8x8xf32>) outs(%a : tensor<8x8xf32>) -> tensor<8x8xf32>
  %t = tosa.tanh %m : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %s = stablehlo.add %t, %m : tensor<8x8xf32>
  %w = vector.fma %v, %v, %v : vector<8xf32>
  return %s, %w : tensor<8x8xf32>, vector<8xf32>
}""",
)


def _broken(death: ProcessDied, limits: Limits) -> InputError:
    if str(death) == "TimeoutError":
        return LimitError("The module", f"must be parsed within {limits.seconds:g} s", where="line 1, column 1")
    rule = "broke the MLIR parser (it crashed, or needed more memory than it may have), and was not read further"
    return InputError("The module", rule, where="line 1, column 1")


def main() -> None:
    """Serve requests on standard input until it ends."""
    serve(_Reader().answer, int(sys.argv[1]))


class _Reader:
    """Makes the parser when it is first needed: after the limits are set."""

    def __init__(self) -> None:
        self._decode = msgspec.msgpack.Decoder(Request).decode
        self._parse: Callable[[str | bytes, bool, str | None], Module] | None = None

    def answer(self, message: bytes) -> bytes:
        if self._parse is None:
            from featurizers.mlir.bindings import Parser

            self._parse = Parser().parse
        request = self._decode(message)
        try:
            source = request.source if request.bytecode else request.source.decode()
            answer = Answer(self._parse(source, request.allow_unregistered, request.keep))
        except InputError as error:
            answer = Answer(None, (error.what, error.rule, error.where))
        except RecursionError:
            answer = Answer(None, ("The module", "is nested too deeply", "line 1, column 1"))
        return _encode(answer)


if __name__ == "__main__":
    main()
