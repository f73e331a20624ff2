"""Columns, tokens, graphs and parts of whole programs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from featurizers.core import EXTRAS
from featurizers.mlir import COLUMNS, MlirFeaturizer, cpus, featurize_module
from featurizers.mlir.columns import MOST
from tests.featurizers.mlir.samples import LINALG, MATMUL, SAXPY, SUM

TEXTS = (MATMUL, SAXPY, SUM, LINALG)
FEATURIZER = MlirFeaturizer()
HERE = MlirFeaturizer(in_process=True)


def test_columns_are_named_once_and_grouped() -> None:
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    counts = Counter(column.group for column in COLUMNS)
    assert counts == {
        "estimate": 30, "hot loop": 56, "big loop": 56, "second loop": 56, "static operations": 25,
        "executed operations": 25, "totals": 35, "dialects": 36, "cpu": 61,
        "unrolling": 12, "kernels": 16,
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(cpus()))
def test_every_cpu_gets_finite_columns(name: str) -> None:
    features = FEATURIZER.features([FEATURIZER.parse({"mlir": text}) for text in TEXTS], profile=name)
    assert features.vectors.shape == (len(TEXTS), len(COLUMNS))
    assert np.isfinite(features.vectors).all()
    assert (features.column("est_instructions") > 4).all()
    assert features.column("est_cycles")[0] > 64 * 64 * 80 / 4


@pytest.mark.parametrize("name", sorted(cpus()))
def test_a_division_of_vectors_has_columns_without_vector_registers_too(name: str) -> None:
    text = """func.func @f(%a: vector<8xf32>, %b: vector<8xf32>) -> vector<8xf32> {
      %q = arith.divf %a, %b : vector<8xf32>
      return %q : vector<8xf32>
    }"""
    features = HERE.features([HERE.parse({"mlir": text})], profile=name)
    assert np.isfinite(features.vectors).all()
    assert features.column("est_instructions")[0] >= 2


@pytest.mark.parametrize("name", sorted(cpus()))
def test_a_nest_that_never_ends_has_finite_columns_and_parts(name: str) -> None:
    loops = "".join(f"affine.for %i{depth} = 0 to 1000000000 {{ " for depth in range(5))
    text = f"""func.func @f(%a: memref<8xf32>, %c: f32) {{
      {loops}
      %x = affine.load %a[0] : memref<8xf32>
      %y = arith.addf %x, %c : f32
      affine.store %y, %a[0] : memref<8xf32>
      {"}" * 5}
      return
    }}"""
    features = HERE.features([HERE.parse({"mlir": text})], profile=name, names=True)
    assert np.isfinite(features.vectors).all()
    assert features.parts is not None
    assert np.isfinite(features.parts.matrix).all()
    assert features.column("est_cycles")[0] == np.float32(MOST)


def test_golden_columns_of_matmul() -> None:
    features = FEATURIZER.features([FEATURIZER.parse({"mlir": MATMUL})], profile="skylake-avx512")
    wanted = {
        "loops_written": 3, "max_depth": 3, "buffers": 3, "arguments": 3, "hot_trip": 80, "hot_exact": 1,
        "hot_depth": 3, "hot_unit": 1, "hot_strided": 1, "hot_invariant": 1, "hot_memory_chain": 1,
        "hot_chain_latency": 4, "hot_vf": 1, "hot_unroll": 5, "ops_affine": 10, "ops_arith": 2, "removed": 0,
    }  # fmt: skip
    assert {name: features.column(name)[0] for name in wanted} == wanted
    assert features.column("log2_flops_32")[0] == pytest.approx(np.log2(1 + 2 * 64 * 64 * 80), abs=1e-4)


def test_in_process_and_worker_agree_and_so_does_bytecode() -> None:
    import io

    from iree.compiler import ir

    for text in TEXTS:
        with ir.Context():
            module = ir.Module.parse(text)
            buffer = io.BytesIO()
            module.operation.write_bytecode(buffer)
            direct = featurize_module(module)
        others = [FEATURIZER.parse({"mlir": text}), HERE.parse({"mlir": text})]
        others.append(FEATURIZER.parse({"file": buffer.getvalue()}))
        rows = FEATURIZER.features([direct, *others], profile="znver4").vectors
        assert (rows == rows[0]).all()


def test_tokens_and_graph_come_when_asked() -> None:
    subjects = [FEATURIZER.parse({"mlir": text}) for text in TEXTS]
    plain = FEATURIZER.features(subjects)
    assert plain.graphs == ()
    assert plain.sequences == {}
    features = FEATURIZER.features(subjects, extras=EXTRAS)
    for stream in ("ops", "ops_operands"):
        words = features.vocabulary(stream)
        assert words == FEATURIZER.vocabulary(stream)
        text = " ".join(words[i] for i in features.sequences[stream][2])
        assert "affine.for" in text
        assert "arith.addf" in text
    assert len(features.sequences["ops_operands"][0]) > len(features.sequences["ops"][0])
    graph = features.graphs[0]
    assert graph.edges.shape[0] == 2
    assert graph.edge_types is not None
    assert set(graph.edge_types.tolist()) == {0, 1}
    assert graph.edges.max() < len(graph.nodes)
    words = features.vocabulary("nodes")
    assert Counter(words[i] for i in graph.node_types)["affine.for"] == 3
    assert graph.nodes[:, 0].max() == pytest.approx(np.log2(80)), "log2 of the longest loop"


def test_parts_name_the_loop_and_its_line() -> None:
    features = FEATURIZER.features([FEATURIZER.parse({"mlir": MATMUL})], profile="znver4", names=True)
    parts = features.parts
    assert parts is not None
    assert ("affine.for (line 5, column 7)", "unrolled 10 times") in parts.names
    total = parts.total(parts.matrix[:, 2].astype(float), 1)[0]
    assert total == pytest.approx(features.column("est_cycles")[0], rel=1e-4)
    assert "fmul" in FEATURIZER.part_ops(features)


def test_vocabularies_are_of_distinct_words() -> None:
    for name in ("ops", "ops_operands", "nodes", "edges"):
        words = FEATURIZER.vocabulary(name)
        assert len(set(words)) == len(words)
    with pytest.raises(KeyError):
        FEATURIZER.vocabulary("letters")
