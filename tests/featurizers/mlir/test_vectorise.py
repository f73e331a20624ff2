"""The vectoriser's choices, each as opt-22 -O3 made it of the same loop (`-pass-remarks=loop-vectorize`)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()


def loop(index: str, trip: int, element: str = "f32", attribute: str = "{llvm.noalias}", size: int = 16000) -> str:
    """Squares of what is read at `index`, stored one after the other."""
    return f"""func.func @f(%a: memref<{size}x{element}> {attribute}, %b: memref<{size}x{element}> {attribute}) {{
      affine.for %i = 0 to {trip} {{
        %x = affine.load %a[{index}] : memref<{size}x{element}>
        %y = arith.mulf %x, %x : {element}
        affine.store %y, %b[%i] : memref<{size}x{element}> }}
      return }}"""


def chosen(text: str, name: str) -> LoopCode:
    return generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name))[-1]


@pytest.mark.parametrize(
    ("name", "vf"), [("znver4", 16), ("skylake-avx512", 8), ("apple-m1", 1), ("cortex-a55", 1), ("neoverse-v1", 1)]
)
def test_strided_reads_are_gathered_where_there_are_gathers(name: str, vf: int) -> None:
    assert chosen(loop("%i * 37", 400), name).vf == vf


def test_small_bodies_are_interleaved_and_large_ones_are_not() -> None:
    assert chosen(loop("%i", 4096), "znver4").interleave == 4
    assert chosen(loop("%i * 37", 400), "znver4").interleave == 1


def test_few_iterations_run_under_a_mask_only_where_there_are_masks() -> None:
    text = loop("%i * 37", 13)
    long = text.replace("%y = arith.mulf %x, %x : f32", "%y0 = arith.mulf %x, %x : f32 " + squares(30))
    assert chosen(long, "znver4").vf == 16
    assert not chosen(long, "znver4").remainder
    assert chosen(long, "apple-m1").vf == 1


def squares(count: int) -> str:
    lines = [f"%y{k + 1} = arith.mulf %y{k}, %x : f32" for k in range(count)]
    return " ".join(lines) + f" %y = arith.addf %y{count}, %x : f32"


def test_no_checks_for_what_has_no_bounds() -> None:
    text = """func.func @f(%i: memref<800xi64> A, %a: memref<800xi64> A, %b: memref<800xi64> A) {
      affine.for %k = 0 to 800 {
        %n = affine.load %i[%k] : memref<800xi64>
        %p = arith.index_cast %n : i64 to index
        %x = memref.load %a[%p] : memref<800xi64>
        affine.store %x, %b[%k] : memref<800xi64> }
      return }"""
    assert chosen(text.replace(" A", " {llvm.noalias}"), "znver4").vf > 1
    assert chosen(text.replace(" A", ""), "znver4").vf == 1


def test_short_loops_unroll_beyond_the_threshold_where_indices_fold_away() -> None:
    body = "%y0 = arith.mulf %x, %x : f32 " + squares(35)
    ten, eleven = (
        FEATURIZER.parse({"mlir": loop("%i * 37", trip).replace("%y = arith.mulf %x, %x : f32", body)}).loops[0].walk()
        for trip in (8, 11)
    )
    assert [inner.nest.depth for inner in ten] == [0], "8 x 40 above 300, what stays after folding is not"
    assert [inner.nest.depth for inner in eleven] == [0, 1], "more than ten iterations are not gone through"
