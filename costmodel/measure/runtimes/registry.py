"""Which runtimes exist."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.measure.runtimes.base import Runtime
from featurizers.errors import UnknownNameError


def _ort() -> Runtime:
    from costmodel.measure.runtimes.ort import OrtRuntime

    return OrtRuntime("ort-fp32", optimise=True)


def _ort_noopt() -> Runtime:
    from costmodel.measure.runtimes.ort import OrtRuntime

    return OrtRuntime("ort-fp32-noopt", optimise=False)


def _ort_int8() -> Runtime:
    from costmodel.measure.runtimes.ort_int8 import OrtInt8Runtime

    return OrtInt8Runtime()


def _openvino() -> Runtime:
    from costmodel.measure.runtimes.openvino import OpenVinoRuntime

    return OpenVinoRuntime()


def _torch() -> Runtime:
    from costmodel.measure.runtimes.torch_eager import TorchEagerRuntime

    return TorchEagerRuntime()


RUNTIMES: dict[str, Callable[[], Runtime]] = {
    "ort-fp32": _ort,
    "ort-fp32-noopt": _ort_noopt,
    "ort-int8": _ort_int8,
    "openvino-fp32": _openvino,
    "torch-eager-fp32": _torch,
}


def runtime(name: str) -> Runtime:
    """The runtime of that name. Raises `UnknownNameError` listing the known ones."""
    if name not in RUNTIMES:
        raise UnknownNameError("runtime", name, RUNTIMES)
    return RUNTIMES[name]()
