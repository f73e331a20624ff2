"""Chains of linalg: the same operations on tensors and on buffers, iterators in either order."""

from __future__ import annotations

import pytest

from costmodel.mlir.generators.chains import Chain
from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.expanding import transform
from costmodel.mlir.labelling import missing_tools

needs_tools = pytest.mark.skipif("mlir-opt" in missing_tools(), reason="mlir-opt-22 (mlir-22-tools) is not installed")


def _text(*, buffers: bool, alternative: bool = False) -> str:
    g = Chain(Code(0, alternative=alternative), "f32", buffers=buffers)
    x, w = g.input([4, 9]), g.input([3])
    windows = [(x, ["d0", "d1 * 2 + d2"]), (w, ["d2"])]
    y = g.generic(windows, [4, 3, 3], [0, 1], lambda v: v[2] + v[0] * v[1], 0)
    y = g.permuted(g.repeated(g.folded(y, [1], "max", -9), 1, 6), [1, 0])
    y = g.reshaped(y, "expand_shape", [[0, 1], [2]], [3, 2, 4])
    return g.written("f", [y], noalias=False)


@needs_tools
@pytest.mark.parametrize("alternative", [False, True])
def test_tensors_and_buffers_hold_the_same_operations(alternative):
    tensors, buffers = transform([_text(buffers=b, alternative=alternative) for b in (False, True)], "")
    assert tensors is not None
    assert buffers is not None
    operations = ("linalg.generic", "linalg.reduce", "linalg.broadcast", "linalg.transpose", ".expand_shape")
    assert [tensors.count(name) for name in operations] == [buffers.count(name) for name in operations] == [1] * 5
    assert "tensor<" not in buffers
    assert "memref<" not in tensors


def test_iterators_come_in_the_reverse_order():
    assert "(d0, d1, d2) -> (d0, d1 * 2 + d2)" in _text(buffers=False)
    assert '["parallel", "parallel", "reduction"]' in _text(buffers=False)
    assert "(d0, d1, d2) -> (d2, d1 * 2 + d0)" in _text(buffers=False, alternative=True)
    assert '["reduction", "parallel", "parallel"]' in _text(buffers=False, alternative=True)
