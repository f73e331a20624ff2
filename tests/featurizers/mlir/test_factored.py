"""Factors that terms of a sum share (``opt-22 -passes='default<O3>'`` on the same bodies, vectors and copies aside)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer
from featurizers.mlir.opclass import CLASS

FEATURIZER = MlirFeaturizer()
PRODUCTS = """%p = arith.muli %v, %eleven : i32
  %q = arith.muli %w, %four : i32
  %r = arith.muli %x, %eleven : i32
  %s = arith.muli %y, %four : i32
  %t = arith.muli %z, %eleven : i32"""
SUMS = """%a1 = arith.addi %p, %q : i32
  %a2 = arith.addi %a1, %r : i32
  %a3 = arith.addi %a2, %s : i32
  %o = arith.addi %a3, %t : i32"""


def stencil(body: str, stored: str = "%o") -> dict[str, float]:
    loads = "\n".join([f"%{name} = affine.load %a[%i + {at}] : memref<1024xi32>" for at, name in enumerate("vwxyz")])
    text = f"""func.func @f(%a: memref<1024xi32> {{llvm.noalias}}, %b: memref<1024xi32> {{llvm.noalias}}) {{
      %eleven = arith.constant 11 : i32
      %four = arith.constant 4 : i32
      %less = arith.constant -11 : i32
      affine.for %i = 0 to 1020 {{
        {loads}
        {body}
        affine.store {stored}, %b[%i] : memref<1024xi32>
      }}
      return }}"""
    found = FEATURIZER.parse({"mlir": text}).loops[0].children[0].counts
    return {name: found[CLASS[name]] for name in ("imul", "logic", "iadd")}


@pytest.mark.parametrize(
    ("products", "sums", "left"),
    [
        (PRODUCTS, SUMS, (1, 1, 4)),
        (PRODUCTS, SUMS.replace("addi %a2", "subi %a2"), (1, 1, 4)),
        (PRODUCTS.replace("%x, %eleven", "%x, %less"), SUMS, (1, 1, 4)),
        (PRODUCTS.replace("%y, %four", "%y, %v"), SUMS, (2, 1, 4)),
    ],
    ids=["two factors", "a difference", "a number below zero", "a factor that is loaded"],
)
def test_terms_with_one_factor_are_added_first(products: str, sums: str, left: tuple[int, int, int]) -> None:
    assert tuple(stencil(products + "\n" + sums).values()) == left


def test_a_product_that_is_used_elsewhere_stays() -> None:
    twice = stencil(PRODUCTS + "\n" + SUMS + "\n%m = arith.xori %o, %p : i32", "%m")
    assert twice["imul"] == 2.0, "as in LLVM's code: one of the first load, one of the sum of two"
