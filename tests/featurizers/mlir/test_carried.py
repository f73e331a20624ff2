"""Values that loops carry, as opt-22 -O3 says of the same loops (`-pass-remarks=loop-vectorize`)."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.loop import CARRIED, VECTORISABLE

FEATURIZER = MlirFeaturizer()

LARGEST_TWO = """func.func @f(%a: memref<2621xi32> {llvm.noalias}, %b: memref<2xi32> {llvm.noalias}) {
  %s = arith.constant -99 : i32
  %r:2 = affine.for %i = 0 to 2621 iter_args(%p = %s, %q = %s) -> (i32, i32) {
    %x = affine.load %a[%i] : memref<2621xi32>
    %1 = arith.maxsi %p, %x : i32
    %2 = arith.minsi %p, %x : i32
    %3 = arith.maxsi %q, %2 : i32
    affine.yield %1, %3 : i32, i32
  }
  affine.store %r#0, %b[0] : memref<2xi32>
  affine.store %r#1, %b[1] : memref<2xi32>
  return }"""

PHASE = """func.func @f(%a: memref<640xi32> {llvm.noalias}, %b: memref<640xi32> {llvm.noalias}) {
  %s = arith.constant 0 : i32
  %d = arith.constant 299424110 : i32
  %r = affine.for %i = 0 to 640 iter_args(%p = %s) -> (i32) {
    %x = affine.load %a[%i] : memref<640xi32>
    %y = arith.xori %x, %p : i32
    affine.store %y, %b[%i] : memref<640xi32>
    %n = arith.addi %p, %d : i32
    affine.yield %n : i32
  }
  return }"""

DIFFERENCES = """func.func @f(%a: memref<640xi32> {llvm.noalias}, %b: memref<640xi32> {llvm.noalias}) {
  %s = arith.constant 0 : i32
  %r = affine.for %i = 0 to 640 iter_args(%p = %s) -> (i32) {
    %x = affine.load %a[%i] : memref<640xi32>
    %y = arith.subi %x, %p : i32
    affine.store %y, %b[%i] : memref<640xi32>
    affine.yield %x : i32
  }
  return }"""

UNDER_A_CONDITION = """func.func @f(%a: memref<640xi32> {llvm.noalias}, %b: memref<1xi32> {llvm.noalias}) {
  %s = arith.constant 0 : i32
  %r = affine.for %i = 0 to 640 iter_args(%p = %s) -> (i32) {
    %x = affine.load %a[%i] : memref<640xi32>
    %c = arith.cmpi sgt, %x, %s : i32
    %n = scf.if %c -> (i32) {
      %y = arith.addi %p, %x : i32
      scf.yield %y : i32
    } else {
      scf.yield %p : i32
    }
    affine.yield %n : i32
  }
  affine.store %r, %b[0] : memref<1xi32>
  return }"""


def chosen(text: str, name: str) -> LoopCode:
    return generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu(name))[-1]


def test_what_another_value_is_made_of_is_no_reduction() -> None:
    assert chosen(LARGEST_TWO, "znver4").loop.legality == CARRIED


@pytest.mark.parametrize(("name", "vf"), [("znver4", 16), ("cortex-a55", 4)])
@pytest.mark.parametrize("text", [PHASE, DIFFERENCES, UNDER_A_CONDITION])
def test_indices_values_of_the_iteration_before_and_sums_are_vectorised(text: str, name: str, vf: int) -> None:
    found = chosen(text, name)
    assert found.loop.legality == VECTORISABLE
    assert found.vf == vf


def test_what_is_stored_before_the_next_value_is_known_keeps_it_from_being_moved() -> None:
    early = DIFFERENCES.replace("%x = affine.load %a[%i] : memref<640xi32>\n", "").replace(
        "%y = arith.subi %x, %p : i32", "%y = arith.subi %s, %p : i32"
    )
    early = early.replace("affine.yield", "%x = affine.load %a[%i] : memref<640xi32>\n affine.yield")
    assert chosen(early, "znver4").loop.legality == CARRIED


QUOTIENTS = """func.func @f(%a: memref<640xi64> {llvm.noalias}, %x: i64) {
  %c = arith.constant 10 : i64
  %r = affine.for %i = 0 to 640 iter_args(%p = %x) -> (i64) {
    %q = arith.divui %p, %c : i64
    affine.store %q, %a[%i] : memref<640xi64>
    affine.yield %q : i64
  }
  return }"""


def test_quotients_by_a_number_wait_for_products() -> None:
    assert chosen(QUOTIENTS, "skylake-avx512").cycles == pytest.approx(1305.5, rel=0.5)


def seidel(step: int, above: str, point: bool = False) -> str:
    """Each element of a row from the one before it, as it was just stored, and from the row above. point : in tiles of
    one element."""
    body = "".join(
        f"""
        %i{k} = affine.apply affine_map<(d0) -> (d0 + {k})>(%p)
        %x{k} = affine.load %a[%i, %i{k} - 1] : memref<66x66xf32>
        %q{k} = affine.load %a[%i - 1, {above}] : memref<66x66xf32>
        %r{k} = affine.load %a[%i - 1, %i{k}] : memref<66x66xf32>
        %s{k} = arith.addf %q{k}, %r{k} : f32
        %t{k} = arith.addf %x{k}, %s{k} : f32
        %d{k} = arith.divf %t{k}, %seven : f32
        affine.store %d{k}, %a[%i, %i{k}] : memref<66x66xf32>""".replace("%K", f"%i{k}")
        for k in range(step)
    )
    if point:
        around = "affine.for %p = affine_map<(d0) -> (d0)>(%j) to affine_map<(d0) -> (d0 + 1)>(%j)"
        body = f"{around} {{ {body} }}"
    else:
        body = body.replace("%p", "%j")
    return f"""func.func @f(%a: memref<66x66xf32>) {{
      %seven = arith.constant 7.0 : f32
      affine.for %i = 1 to 65 {{
        affine.for %j = 1 to 65 step {step} {{ {body} }} }}
      return }}"""


def cycles_per_element(text: str) -> float:
    codes = generate(FEATURIZER.parse({"mlir": text}).loops_on("x86")[0], cpu("znver4"))
    return sum(code.cycles for code in codes) / (64 * 64)


def test_what_the_source_unrolled_goes_on_through_memory() -> None:
    """The indices of the element before, in this iteration and in the next, are those of other rows, too: they stay
    addresses of their own, by which LLVM finds that the value is known."""
    once, twice = cycles_per_element(seidel(1, "%K - 1")), cycles_per_element(seidel(2, "%K - 1"))
    assert once == pytest.approx(14.17, rel=0.1)
    assert twice == pytest.approx(once, rel=0.1)
    assert cycles_per_element(seidel(2, "%K + 1")) == pytest.approx(3.95, rel=0.4)


def test_points_of_a_tile_go_on_in_the_loop_around() -> None:
    plain, tiled = (cycles_per_element(seidel(1, "%K - 1", point)) for point in (False, True))
    assert tiled == pytest.approx(plain, rel=0.1)


PRODUCT = """func.func @f(%a: memref<1x39xf64>, %b: memref<39x57xf64>, %c: memref<1x57xf64>) {
  %zero = arith.constant 0.0 : f64
  %one = memref.alloc() : memref<1x1xf64>
  %two = memref.alloc() : memref<1x1xf64>
  affine.for %i = 0 to 1 { affine.for %j = 0 to 57 {
    affine.store %zero, %one[0, 0] : memref<1x1xf64>
    affine.for %k = 0 to 39 {
      %x = affine.load %a[0, %k] : memref<1x39xf64>
      %y = affine.load %b[%k, %j] : memref<39x57xf64>
      %s = affine.load %one[0, 0] : memref<1x1xf64>
      %p = arith.mulf %x, %y : f64
      %t = arith.addf %s, %p : f64
      affine.store %t, %one[0, 0] : memref<1x1xf64> }
    %u = affine.load %one[0, 0] : memref<1x1xf64>
    %v = math.sqrt %u : f64
    affine.store %v, %two[0, 0] : memref<1x1xf64>
    %w = affine.load %two[%i, 0] : memref<1x1xf64>
    affine.store %w, %c[0, %j] : memref<1x57xf64> } }
  memref.dealloc %one : memref<1x1xf64>
  memref.dealloc %two : memref<1x1xf64>
  return }"""


def test_a_buffer_that_every_iteration_begins_anew_is_a_value() -> None:
    code = next(code for code in codes(PRODUCT, "znver4") if code.loop.trip == 57)
    assert code.loop.legality == VECTORISABLE
    assert code.vf == 8  # opt-22: "vectorized loop (vectorization width: 8, interleaved count: 1)"
    assert not code.loop.lifted


def codes(text: str, name: str) -> list[LoopCode]:
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))


@pytest.mark.parametrize(
    ("operation", "length", "left"),
    [("addi %s, %k", 4000, 1), ("minsi %s, %k", 40, 1), ("minsi %s, %k", 4000, 2), ("muli %s, %k", 4000, 2)],
)
def test_iterations_that_do_the_same_to_what_is_carried_come_to_one(operation: str, length: int, left: int) -> None:
    """A sum of what does not vary is a product; a minimum is one once the loop is unrolled, if it is."""
    text = f"""func.func @f(%a: memref<2000xi32>, %b: memref<2000xi32>) {{
      affine.for %i = 0 to 2000 {{
        %x = affine.load %a[%i] : memref<2000xi32>
        %r = affine.for %j = 0 to {length} iter_args(%s = %x) -> (i32) {{
          %k = affine.load %a[7] : memref<2000xi32>
          %t = arith.{operation} : i32
          affine.yield %t : i32
        }}
        affine.store %r, %b[%i] : memref<2000xi32>
      }}
      return }}"""
    (root,) = FEATURIZER.parse({"mlir": text}).loops
    assert len([loop for loop in root.walk() if loop.nest.depth]) == left
