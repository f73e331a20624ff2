"""Run as a script: calls every function of an IREE module, timing it, or telling callgrind which call to count.

``iree_calls.py MODULE.vmfb SIGNATURES.json REQUESTS.so``; with ``-`` for the last it prints name, microseconds and
noise of each function.
"""

from __future__ import annotations

import ctypes
import json
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

REPEATS, LEAST_US = 7, 500.0
_IO_URING_SETUP, _NOT_THERE, _ALLOWED = 425, 0x00050000 | 38, 0x7FFF0000
_NO_NEW_PRIVILEGES, _SET_FILTER, _FILTER = 38, 22, 2


def without_io_uring() -> None:
    """This process's ``io_uring_setup`` says that there is none: valgrind 3.19 deadlocks in a ring's wait."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    steps = ((0x20, 0, 0, 0), (0x15, 0, 1, _IO_URING_SETUP), (0x06, 0, 0, _NOT_THERE), (0x06, 0, 0, _ALLOWED))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    libc = ctypes.CDLL(None)
    program = Program(len(steps), ctypes.addressof(code))
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SET_FILTER, _FILTER, ctypes.byref(program)):
        raise OSError("the kernel takes no system call filter")


def functions(path: str, signatures: dict[str, Any]) -> dict[str, Callable[[], None]]:
    """A call without arguments per function, its data in place."""
    import iree.runtime as rt

    instance, device = rt.VmInstance(), rt.get_device("local-sync")
    module = rt.VmModule.mmap(instance, path)
    context = rt.VmContext(instance, [rt.create_hal_module(instance, device), module])
    rng = np.random.default_rng(12345)

    def caller(name: str, shapes: list[tuple[list[int], str]]) -> Callable[[], None]:
        function, buffers = module.lookup_function(name), [buffer(*shape) for shape in shapes]

        def call() -> None:
            arguments, results = rt.VmVariantList(len(buffers)), rt.VmVariantList(1)
            for each in buffers:
                arguments.push_ref(each)
            context.invoke(function, arguments, results)

        return call

    def buffer(shape: list[int], kind: str) -> Any:
        bits = kind[1:]
        if kind.startswith("f"):
            data, element = (rng.random(shape) + 0.5).astype(f"float{bits}"), f"FLOAT_{bits}"
        else:
            data, element = rng.integers(0, 8, shape).astype(f"int{bits}"), f"SINT_{bits}"
        return device.allocator.allocate_buffer_copy(
            memory_type=rt.MemoryType.DEVICE_LOCAL,
            allowed_usage=rt.BufferUsage.DEFAULT | rt.BufferUsage.MAPPING,
            device=device,
            buffer=np.ascontiguousarray(data),
            element_type=getattr(rt.HalElementType, element),
        )

    return {name: caller(name, shapes) for name, shapes in signatures.items()}


def timed(call: Callable[[], None]) -> tuple[float, float]:
    """Lower quartile of the repeats in microseconds, and how far their median lies above the least."""
    call()
    once = _microseconds(call, 1)
    times = 1 if once > LEAST_US else int(LEAST_US / once) + 1
    found = sorted(_microseconds(call, times) for _ in range(REPEATS))
    return found[REPEATS // 4], (found[REPEATS // 2] - found[0]) / found[0]


def _microseconds(call: Callable[[], None], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return max((time.perf_counter() - start) / times * 1e6, 1e-3)


def main(path: str, signatures: str, requests: str) -> None:
    """See the module."""
    if requests != "-":
        without_io_uring()
    with open(signatures, encoding="utf-8") as file:
        calls = functions(path, json.load(file))
    if requests == "-":
        for name, call in calls.items():
            print(name, *(f"{value:.6f}" for value in timed(call)))
        return
    callgrind = ctypes.CDLL(requests)
    for name, call in calls.items():
        call()
        callgrind.start()
        call()
        callgrind.stop(name.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
