"""Simplification before anything is counted, and the contexts that it runs in."""

from __future__ import annotations

import numpy as np
import pytest

from featurizers.mlir import MlirFeaturizer
from featurizers.mlir.bindings import Parser
from tests.featurizers.mlir.samples import MATMUL

pytest.importorskip("iree.compiler")

WASTEFUL = """
func.func @f(%a: memref<8xi32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %z = arith.constant 0 : i32
  scf.for %i = %c0 to %n step %c1 {
    %k = arith.muli %n, %n : index
    %x = memref.load %a[%c0] : memref<8xi32>
    %y = arith.addi %x, %z : i32
    %dead = arith.muli %y, %y : i32
    %again = arith.muli %n, %n : index
    %s = arith.addi %k, %again : index
    %t = arith.index_cast %s : index to i32
    %u = arith.addi %y, %t : i32
    memref.store %u, %a[%c0] : memref<8xi32>
  }
  return
}
"""


def test_what_any_compiler_removes_is_not_there() -> None:
    function = Parser().parse(WASTEFUL).ops[0]
    (loop,) = [op for op in function.regions[0][0].ops if op.name == "scf.for"]
    inside = [op.name for op in loop.regions[0][0].ops]
    assert inside == ["memref.load", "arith.addi", "memref.store", "scf.yield"]
    outside = [op.name for op in function.regions[0][0].ops]
    assert outside.count("arith.muli") == 1


def test_a_context_of_its_own_changes_no_column() -> None:
    """A word of tensors, in a comment alone, sends a program to the context of those."""
    parser = Parser()
    plain = MATMUL
    marked = f"// tensor.empty\n{MATMUL}"
    assert parser.parse(plain).size == parser.parse(marked).size
    assert set(parser._contexts) == {(False, False), (False, True)}
    featurizer = MlirFeaturizer(in_process=True)
    rows = [featurizer.features([featurizer.parse({"mlir": text})]).vectors for text in (plain, marked)]
    np.testing.assert_array_equal(*rows)
