"""Measure one model on one device of this host."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from costmodel.measure.devices import Device, device_name, find_device
from costmodel.measure.labels import QuietState, Round, estimate_gammas, make_label
from costmodel.measure.reference import Reference
from costmodel.measure.runtimes import Runtime, UnsupportedModelError, runtime
from costmodel.measure.timing import take_sample
from featurizers.errors import InputError

_PAUSE_S = 0.3
_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one model costs on one device of this host; times in milliseconds for the whole batch.

    latency_ms : carried over to the quiet state of the machine. raw_latency_ms : as measured.
    spread : robust relative standard deviation between rounds. reference_ms : the reference workload beside the runs;
    quiet_reference_ms : the same in the quiet state.
    """

    device: str
    batch: int
    latency_ms: float
    raw_latency_ms: float
    spread: float
    rounds: int
    quiet_rounds: int
    reference_ms: float
    quiet_reference_ms: float
    runtime: str


def measure_model(
    model: bytes,
    device: str,
    rounds: int = 6,
    *,
    dims: Mapping[str, int] | None = None,
    quiet_reference_ms: float | None = None,
    core: int | None = None,
) -> Measurement:
    """Measure an ONNX model with one pinned thread.

    Parameters
    ----------
    model : the ONNX file; its inputs already have the device's batch size.
    device : key (``ort-fp32-b1``) or full name of a device of this host.
    rounds : of five or more runs each, spread over a few seconds.
    dims : values of symbolic dimensions by name.
    quiet_reference_ms : the reference's time in the quiet state, when known from a campaign on this machine;
        otherwise the fastest tenth of what is seen now.
    core : to run on; the last one allowed by default.

    Raises
    ------
    InputError
        For bytes that are no ONNX model, a symbolic dimension without value, a model the runtime cannot execute, an
        unknown device.
    """
    if rounds < 1:
        raise InputError("The number of rounds", "must be at least 1", rounds)
    found = find_device(device)
    proto = _with_dimensions(_parsed(model), dims or {})
    _check_batch(proto, found)
    engine = runtime(found.runtime)
    with tempfile.TemporaryDirectory() as folder, _pinned(core):
        try:
            engine.prepare(proto.SerializeToString(), Path(folder))
            measured, references = _measure(engine, Path(folder), rounds, quiet_reference_ms)
        except UnsupportedModelError as error:
            raise InputError("The model", f"must be executable by {engine.version()}: {error}") from error
    typical = quiet_reference_ms or float(np.percentile(references, 10))
    quiet = QuietState.around(typical)
    gamma = estimate_gammas([measured], quiet)[1][0]
    label = make_label(measured, gamma, quiet)
    return Measurement(
        device=device_name(found.key),
        batch=found.batch,
        latency_ms=label.latency_ms,
        raw_latency_ms=label.raw_latency_ms,
        spread=label.spread,
        rounds=label.rounds,
        quiet_rounds=label.quiet_rounds,
        reference_ms=label.reference_ms,
        quiet_reference_ms=quiet.typical_ms,
        runtime=engine.version(),
    )


def _measure(
    engine: Runtime, folder: Path, rounds: int, quiet_reference_ms: float | None
) -> tuple[list[Round], list[float]]:
    reference = Reference()
    quiet_ms = quiet_reference_ms or reference.quiet_ms()
    runnable = engine.load(folder)
    measured: list[Round] = []
    references = [quiet_ms]
    for index in range(rounds):
        if index:
            time.sleep(_PAUSE_S)
        record = take_sample(runnable, reference, quiet_ms=quiet_ms, wait_s=_WAIT_S).record()
        measured.append(Round.of({**record, "at": time.time()}))
        references += record["references"]
    runnable.close()
    return measured, references


def _parsed(model: bytes) -> onnx.ModelProto:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        proto = onnx.load_model_from_string(model)
    except DecodeError as error:
        raise InputError("The model", "must be an ONNX file") from error
    if not proto.graph.node:
        raise InputError("The model", "must have at least one node")
    return proto


def _with_dimensions(proto: onnx.ModelProto, dims: Mapping[str, int]) -> onnx.ModelProto:
    known = {i.name for i in proto.graph.initializer}
    for value in proto.graph.input:
        if value.name in known:
            continue
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if dimension.HasField("dim_value"):
                continue
            name = dimension.dim_param
            if name not in dims:
                rule = f"needs a value, e.g. {name or 'name'}=1"
                raise InputError(f"Dimension {name or axis!r} of input {value.name!r}", rule)
            dimension.dim_value = dims[name]
    del proto.graph.value_info[:]
    return proto


def _check_batch(proto: onnx.ModelProto, device: Device) -> None:
    sizes = [d.dim_value for v in proto.graph.input for d in v.type.tensor_type.shape.dim]
    if device.batch > 1 and device.batch not in sizes:
        raise InputError("The batch size of the model", f"must be {device.batch} for device {device.key!r}", sizes)


@contextmanager
def _pinned(core: int | None) -> Iterator[None]:
    """Bind the calling thread to one core, where the system can, and give it back afterwards."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before) if core is None else core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
