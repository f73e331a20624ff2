"""Cycles of blocks beyond their steady state, as llvm-mca-22 repeats the code that LLVM 22 makes of a program."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import innermost


def rows(count: int) -> str:
    """Two products and a sum in each of so many rows, which are one block."""
    kind = f"memref<{count}x4096xf32>"
    body = "".join(
        f"""%x{k} = affine.load %a[{k}, %i] : {kind} %y{k} = affine.load %b[{k}, %i] : {kind}
        %p{k} = arith.mulf %x{k}, %y{k} : f32 %q{k} = arith.mulf %p{k}, %c : f32 %r{k} = arith.addf %q{k}, %x{k} : f32
        affine.store %r{k}, %a[{k}, %i] : {kind} """
        for k in range(count)
    )
    return f"""func.func @f(%a: {kind} {{llvm.noalias}}, %b: {kind} {{llvm.noalias}}, %c: f32) {{
      affine.for %i = 0 to 4096 {{ {body} }} return }}"""


@pytest.mark.parametrize(
    ("count", "name", "labelled"), [(8, "znver4", 4213.0), (24, "znver4", 12549.0), (8, "neoverse-v1", 6407.5)]
)
def test_the_last_repetition_has_to_end(count: int, name: str, labelled: float) -> None:
    assert innermost(rows(count), name).cycles == pytest.approx(labelled, rel=0.015)
