"""The generator: same specification, same network; what it writes is valid ONNX and counts what it should."""

import hashlib
import json
import math

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from costmodel.zoo import FAMILIES, NetworkSpec, build, nasbench201_model, sample_specs, size

SPECS = sample_specs(len(FAMILIES), seed=7)


def structure_hash(model: onnx.ModelProto) -> str:
    """Of all that defines the graph but the weights' data, independent of how protobuf writes it."""
    digest = hashlib.sha256()
    for node in model.graph.node:
        attributes = sorted((a.name, repr(onnx.helper.get_attribute_value(a))) for a in node.attribute)
        digest.update(repr((node.op_type, node.name, list(node.input), list(node.output), attributes)).encode())
    for initializer in model.graph.initializer:
        digest.update(repr((initializer.name, list(initializer.dims), initializer.data_type)).encode())
    return digest.hexdigest()[:16]


GOLDEN = {
    "resnet": "6a8f4ee4f420e3fc",
    "densenet": "96fe226001ef9a7c",
    "vgg": "59662bf5185c3b8b",
    "unet": "a20f3793adc110af",
    "mobilenetv2": "ad61f0e5deff1cd4",
    "mobilenetv3": "30484cb098d0e4ad",
    "efficientnet": "84c1e451bdc711f9",
    "shufflenet": "f6882f0f3e2a15aa",
    "convnext": "f33989ba3d4e5e49",
    "vit": "1378fe8f7e97021d",
    "mlp_mixer": "afb717d471af53b2",
    "transformer_encoder": "21d4e289dbfbe49f",
    "transformer_decoder": "e33a601488deb44c",
    "lstm": "0c57524755f557b6",
    "gru": "8fa14a6961aadcc6",
    "nasbench201": "ad28b4019f3ccb40",
}


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.family)
def test_the_structure_of_a_specification_never_changes(spec: NetworkSpec) -> None:
    assert structure_hash(build(spec, weights=False)) == GOLDEN[spec.family]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.family)
def test_it_is_valid_and_its_shapes_agree_with_onnx_inference(spec: NetworkSpec) -> None:
    for batch in (1, 8):
        model = build(spec, batch, weights=False)
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        shape = [d.dim_value for d in inferred.graph.output[0].type.tensor_type.shape.dim]
        assert shape[0] == batch
    names = [n.name for n in model.graph.node]
    assert len(set(names)) == len(names)
    assert all(names)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.family)
def test_weights_change_nothing_but_the_data(spec: NetworkSpec) -> None:
    bare, full = build(spec, weights=False), build(spec)
    assert structure_hash(bare) == structure_hash(full)
    assert build(spec).SerializeToString() == full.SerializeToString()
    for initializer in bare.graph.initializer:
        if initializer.data_type == onnx.TensorProto.INT64:
            assert numpy_helper.to_array(initializer).size == math.prod(initializer.dims)


@pytest.mark.parametrize("spec", [s for s in SPECS if size(s).flops < 3e8], ids=lambda s: s.family)
def test_it_runs_and_gives_finite_answers(spec: NetworkSpec) -> None:
    session = onnxruntime.InferenceSession(build(spec).SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    feeds = {
        i.name: np.zeros(i.shape, np.int64) if "int64" in i.type else rng.standard_normal(i.shape, dtype=np.float32)
        for i in session.get_inputs()
    }
    for output in session.run(None, feeds):
        assert np.isfinite(output).all()
        assert np.abs(output).max() > 0


def test_samples_are_deterministic_json_and_within_limits() -> None:
    specs = sample_specs(24, seed=3)
    assert specs == sample_specs(24, seed=3)
    assert specs != sample_specs(24, seed=4)
    assert {s.family for s in specs} == set(FAMILIES)
    assert len({s.network_id for s in specs}) == 24
    for spec in specs:
        assert json.loads(json.dumps(spec.params)) == spec.params
        assert 1e6 <= size(spec).flops < 3e9


def test_flops_are_spread_over_the_whole_range() -> None:
    logs = np.log10([size(s).flops for s in sample_specs(80, seed=5)])
    counts = np.histogram(logs, bins=5, range=(6, math.log10(3e9)))[0]
    assert counts.min() >= 80 / 5 * 0.6


def test_flops_of_a_hand_counted_network() -> None:
    params = {
        "resolution": 32,
        "width": 8,
        "depths": [1, 1],
        "batch_norm": False,
        "kernel": 3,
        "hidden": 0,
        "classes": 10,
    }
    spec = NetworkSpec("hand", "vgg", params, 0)
    macs = 32 * 32 * 8 * 3 * 9 + 16 * 16 * 16 * 8 * 9 + 16 * 10
    parameters = (3 * 8 * 9 + 8) + (8 * 16 * 9 + 16) + (16 * 10 + 10)
    assert (size(spec).flops, size(spec).parameters) == (2 * macs, parameters)


def test_attention_counts_the_products_of_queries_keys_and_values() -> None:
    base = {"heads": 2, "width": 32, "layers": 1, "ratio": 2, "fused_qkv": True, "vocabulary": 0, "pre_norm": True,
            "activation": "relu", "classes": 2}  # fmt: skip
    flops = [size(NetworkSpec("a", "transformer_encoder", {**base, "sequence": s}, 0)).flops for s in (16, 32)]
    linear = [s * 32 * 32 * (4 + 2 * 2) for s in (16, 32)]
    assert flops == [2 * (lin + 2 * s * s * 32 + 32 * 2) for lin, s in zip(linear, (16, 32), strict=True)]


def test_a_cell_drops_none_edges_and_dead_nodes() -> None:
    arch = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|"
    model = nasbench201_model(arch, cells=1, weights=False)
    operations = [n.op_type for n in model.graph.node if n.name.startswith("stage1/cell1")]
    assert operations == ["Relu", "Conv", "BatchNormalization", "Relu", "Conv", "BatchNormalization"]


@pytest.mark.parametrize(
    "arch",
    ["|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", "|conv~0|+|none~0|none~1|+|none~0|none~1|none~2|", "", "|||"],
)
def test_a_cell_that_is_none_is_refused(arch: str) -> None:
    with pytest.raises(ValueError, match=r"cell|edge"):
        nasbench201_model(arch)
