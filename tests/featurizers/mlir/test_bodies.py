"""What becomes of bodies after the loops: packing, unrolling, dead stores, bit tricks, calls; as LLVM 22 does."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.bits import cost
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.slp import runs

FEATURIZER = MlirFeaturizer()


def code(text: str, name: str) -> list[LoopCode]:
    return generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name))


def jammed(index: str, attribute: str = "{llvm.noalias}") -> str:
    """Four neighbouring results in each iteration, of what is read at `index` of one to four."""
    body = "".join(
        f"%x{k} = affine.load %a[{index.format(k=k)}] : memref<4096xi32>\n"
        f"%y{k} = arith.addi %x{k}, %x{k} : i32\n"
        f"affine.store %y{k}, %b[%i * 4 + {k}] : memref<4096xi32>\n"
        for k in range(4)
    )
    return f"""func.func @f(%a: memref<4096xi32> {attribute}, %b: memref<4096xi32> {attribute}) {{
      affine.for %i = 0 to 3 {{ {body} }}
      return }}"""


def test_neighbouring_stores_are_packed_into_vectors() -> None:
    root = code(jammed("%i * 4 + {k}"), "apple-m1")[0]
    assert runs(root.loop).stores == [12]
    assert root.packed.lanes == 4
    assert root.packed.share == 1.0
    assert root.packed.ratio == pytest.approx(0.25)


def test_what_may_overlap_is_not_packed() -> None:
    assert code(jammed("%i * 4 + {k}", ""), "apple-m1")[0].packed.share == 0.0


def test_lanes_from_everywhere_cost_more_than_neighbours() -> None:
    near, far = code(jammed("%i * 4 + {k}"), "znver4")[0], code(jammed("%i + {k} * 64"), "znver4")[0]
    assert far.packed.ratio > near.packed.ratio


def test_a_store_that_is_overwritten_unread_is_not_there() -> None:
    text = """func.func @f(%a: memref<6400xf32> A, %b: memref<6400xf32> A, %x: f32) {
      affine.for %i = 0 to 6400 {
        affine.store %x, %b[%i] : memref<6400xf32>
        %y = affine.load %a[%i] : memref<6400xf32>
        %z = arith.mulf %y, %y : f32
        affine.store %z, %b[%i] : memref<6400xf32> }
      return }"""
    unread = code(text.replace(" A", " {llvm.noalias}"), "znver4")[-1].loop
    read = code(text.replace(" A", ""), "znver4")[-1].loop
    assert sum(a.store for a in unread.accesses) == 1
    assert sum(a.store for a in read.accesses) == 2


def test_triangles_within_unrolled_loops_are_unrolled() -> None:
    text = """func.func @f(%a: memref<4x4xf64> {llvm.noalias}) {
      affine.for %i = 0 to 4 { affine.for %j = 0 to affine_map<(d) -> (d)>(%i) {
        %x = affine.load %a[%i, %j] : memref<4x4xf64>
        %y = arith.mulf %x, %x : f64
        affine.store %y, %a[%i, %j] : memref<4x4xf64> } }
      return }"""
    assert len(code(text, "znver4")) == 1
    assert len(code(text.replace("0 to 4", "0 to 400"), "znver4")) == 3


def test_an_accumulator_is_stored_by_the_loop_around() -> None:
    text = """func.func @f(%a: memref<900x800xf32> {llvm.noalias}, %c: memref<900xf32> {llvm.noalias}) {
      affine.for %i = 0 to 900 { affine.for %j = 0 to 800 {
        %x = affine.load %a[%i, %j] : memref<900x800xf32>
        %s = affine.load %c[%i] : memref<900xf32>
        %y = arith.addf %s, %x : f32
        affine.store %y, %c[%i] : memref<900xf32> } }
      return }"""
    _, outer, inner = code(text, "apple-m1")
    assert [a.store for a in inner.loop.accesses] == [False]
    assert [a.store for a in outer.loop.accesses] == [False, True]


def test_a_value_that_is_used_twice_is_a_recurrence_and_no_sum() -> None:
    text = """func.func @f(%x: i64) -> i64 {
      %c = arith.constant 13 : i64
      %r = affine.for %i = 0 to 400 iter_args(%s = %x) -> i64 {
        %a = arith.shli %s, %c : i64
        %b = arith.xori %s, %a : i64
        affine.yield %b : i64 }
      return %r : i64 }"""
    assert code(text, "znver4")[-1].vf == 1
    assert code(text.replace("%s, %a", "%s, %c"), "znver4")[-1].vf > 1


def test_rotations_are_one_instruction_and_calls_cost_an_in_order_core() -> None:
    text = """func.func @f(%x: i32) -> i32 {
      %c5 = arith.constant 5 : i32
      %c27 = arith.constant 27 : i32
      %a = arith.shli %x, %c5 : i32
      %b = arith.shrui %x, %c27 : i32
      %c = arith.ori %a, %b : i32
      return %c : i32 }"""
    other = text.replace("constant 27", "constant 26")
    assert code(text, "znver4")[0].instructions == code(other, "znver4")[0].instructions - 2
    call = "func.func @f(%x: f32) -> f32 { %y = math.exp %x : f32 return %y : f32 }"
    assert code(call, "cortex-a55")[0].cycles >= 100  # as llvm-mca says
    assert code(call, "znver4")[0].cycles < 20


@pytest.mark.parametrize(
    ("bits", "value", "isa", "instructions"),
    [(64, 0x1234_5678_9ABC_DEF0, "aarch64", 4), (64, 0x00FF_00FF_00FF_00FF, "aarch64", 0),
     (64, 0x1234_5678_9ABC_DEF0, "x86", 1), (32, 0x1234_5678, "x86", 0), (32, 0x1234_5678, "riscv", 2)],
)  # fmt: skip
def test_large_constants_take_instructions(bits: int, value: int, isa: str, instructions: int) -> None:
    assert cost(isa, frozenset({(bits, value)})) == instructions


def test_sizes_are_those_of_the_instruction_set() -> None:
    text = """func.func @f(%a: memref<900x58xf32> {llvm.noalias}, %b: memref<900x58xf32> {llvm.noalias}) {
      affine.for %i = 0 to 900 { affine.for %j = 0 to 58 {
        %x = affine.load %a[%i, %j] : memref<900x58xf32>
        affine.store %x, %b[%i, %j] : memref<900x58xf32>
        %y = arith.maximumf %x, %x : f32
        affine.store %y, %a[%i, %j] : memref<900x58xf32> } }
      return }"""
    program = FEATURIZER.parse({"mlir": text})
    wide, narrow = (program.loops_on(isa)[0].walk()[1:] for isa in ("x86", "aarch64"))
    assert len(wide) == 2  # stores to computed addresses and maxima count twice
    assert len(narrow) == 1
