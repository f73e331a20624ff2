"""Every family of the zoo as the featurizer reads it: sizes as generated, kernels as onnxruntime executes them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import pytest

from costmodel.zoo.catalogue import FAMILIES, build, sample_specs, size
from featurizers.network import PROFILES, NetworkFeaturizer, kernels
from featurizers.network.matching import plain_op
from featurizers.network.onnx_reader import read_onnx

AVX512 = "avx512f" in Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else False
SPECS = {spec.family: spec for spec in sample_specs(len(FAMILIES), seed=11)}
DECLARED_ONLY = 0.03
"""Share of parameters that may be constants of the graph (masks, initial states, scales) and no weights of the zoo."""


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_sizes_are_those_of_the_generator(family: str) -> None:
    spec = SPECS[family]
    featurizer = NetworkFeaturizer()
    for batch in (1, 8):
        data = build(spec, batch=batch, weights=False).SerializeToString()
        features = featurizer.features([featurizer.parse({"onnx": data})])
        expected = size(spec)
        assert features.column("macs")[0] == pytest.approx(batch * expected.flops / 2, rel=1e-6)
        assert features.column("parameters")[0] >= expected.parameters
        if family not in ("lstm", "gru", "transformer_decoder"):
            assert features.column("parameters")[0] == pytest.approx(expected.parameters, rel=DECLARED_ONLY)
        assert features.column("batch")[0] == batch


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_profile_keeps_the_products(family: str) -> None:
    graph = read_onnx(build(SPECS[family], weights=False).SerializeToString())
    products = {n.name for n in graph.nodes if n.op in ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU")}
    for profile in PROFILES:
        named = {name for kernel in kernels(graph, profile) for name in kernel.names}
        assert products <= named, profile


@pytest.mark.skipif(not AVX512, reason="onnxruntime blocks channels by 16 on AVX-512 only")
@pytest.mark.parametrize("family", ["mobilenetv2", "mobilenetv3", "vit", "lstm"])
def test_kernels_are_those_that_onnxruntime_executes(family: str, tmp_path: Path) -> None:
    data = build(SPECS[family]).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    executed = Counter(plain_op(n.op_type) for n in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert Counter(plain_op(k.op) for k in kernels(read_onnx(data), "onnxruntime")) == executed
