"""Measuring one model: units and fields, and refusals of what cannot be measured."""

import pytest

from costmodel.measure import measure_model
from costmodel.zoo import NetworkSpec, build
from featurizers.errors import InputError, UnknownNameError

TINY = NetworkSpec("tiny", "vgg", {"resolution": 16, "width": 8, "depths": [1, 1], "batch_norm": True, "kernel": 3,
                   "hidden": 0, "classes": 10}, 0)  # fmt: skip
MODEL = build(TINY).SerializeToString()


def test_it_answers_with_the_time_and_its_conditions() -> None:
    found = measure_model(MODEL, "ort-fp32-b1", rounds=2)
    assert 0 < found.latency_ms < 1000
    assert found.raw_latency_ms > 0
    assert (found.rounds, found.batch) == (2, 1)
    assert found.device.endswith("ort-fp32-b1")
    assert found.runtime.startswith("onnxruntime ")
    assert found.reference_ms > 0


def test_a_symbolic_dimension_takes_its_value() -> None:
    model = build(TINY)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    with pytest.raises(InputError, match=r"'batch' of input 'input'.*batch=1"):
        measure_model(model.SerializeToString(), "ort-fp32-b1")
    assert measure_model(model.SerializeToString(), "ort-fp32-b1", rounds=1, dims={"batch": 1}).latency_ms > 0


@pytest.mark.parametrize(
    ("model", "device", "rounds", "message"),
    [
        (b"not onnx", "ort-fp32-b1", 1, "ONNX file"),
        (b"", "ort-fp32-b1", 1, "at least one node"),
        (MODEL, "ort-fp32-b1", 0, "rounds"),
        (MODEL, "ort-fp32-b8", 1, "batch size"),
    ],
)
def test_what_cannot_be_measured_is_refused(model: bytes, device: str, rounds: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure_model(model, device, rounds)


def test_an_unknown_device_is_refused_by_name() -> None:
    with pytest.raises(UnknownNameError, match="pixel9"):
        measure_model(MODEL, "pixel9")
