"""One conformance suite over every runtime: it runs the zoo's families, and refuses what it cannot run."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from costmodel.measure.runtimes import RUNTIMES, UnsupportedModelError, runtime
from costmodel.measure.runtimes.base import load_inputs
from costmodel.zoo import NetworkSpec, build, sample_specs, size

MODULES = {"openvino-fp32": "openvino", "torch-eager-fp32": "torch"}
SPECS = {s.family: s for s in reversed(sample_specs(48, seed=11)) if size(s).flops < 1e8}


@pytest.fixture(params=list(RUNTIMES))
def name(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(MODULES.get(request.param, "onnxruntime"))
    return str(request.param)


@pytest.mark.parametrize("family", ["resnet", "mobilenetv3", "transformer_encoder", "lstm"])
def test_it_prepares_loads_and_runs(name: str, family: str, tmp_path: Path) -> None:
    engine = runtime(name)
    engine.prepare(build(SPECS[family]).SerializeToString(), tmp_path)
    runnable = engine.load(tmp_path)
    runnable.run()
    runnable.run()
    runnable.close()
    assert engine.name == name
    assert engine.version().split()[1][0].isdigit()


def unknown_operation() -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    node = helper.make_node("NoSuchOperation", ["x"], ["y"], name="odd")
    graph = helper.make_graph([node], "g", [x], [y])
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )


def test_an_unknown_operation_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="NoSuchOperation"):
        runtime(name).prepare(unknown_operation(), tmp_path)


def test_a_dynamic_dimension_is_refused(name: str, tmp_path: Path) -> None:
    model = build(SPECS["resnet"])
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    with pytest.raises(UnsupportedModelError, match="dynamic"):
        runtime(name).prepare(model.SerializeToString(), tmp_path)


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda s: s.family)
def test_eager_torch_computes_what_onnxruntime_computes(spec: NetworkSpec, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    model = build(spec).SerializeToString()
    engine = runtime("torch-eager-fp32")
    engine.prepare(model, tmp_path)
    outputs = engine.load(tmp_path).run()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    expected = session.run(None, load_inputs(tmp_path))
    for ours, theirs in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_int8_convolutions_and_their_activations_are_fused(tmp_path: Path) -> None:
    runtime("ort-int8").prepare(build(SPECS["resnet"]).SerializeToString(), tmp_path)
    operations = {n.op_type for n in onnx.load(tmp_path / "model.onnx").graph.node}
    assert "QLinearConv" in operations
    assert not operations & {"Conv", "Relu"}
