"""Half precision and extremes of floats on x86, in cycles as llvm-mca-22 counted them on what opt-22 -O3 made."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.body import body_of
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()


def code_of(text: str, name: str) -> LoopCode:
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1]


def pairs(op: str, element: str = "f32") -> str:
    buffers = ", ".join(f"%{name}: memref<4096x{element}> {{llvm.noalias}}" for name in "abc")
    return f"""func.func @f({buffers}) {{
      affine.for %i = 0 to 4096 {{
        %x = affine.load %a[%i] : memref<4096x{element}>
        %y = affine.load %b[%i] : memref<4096x{element}>
        %z = {op} : {element}
        affine.store %z, %c[%i] : memref<4096x{element}> }}
      return }}"""


def dot(element: str, then: str) -> str:
    """A sum of products. then : what is done to each product before."""
    buffers = ", ".join(f"%{name}: memref<4096x{element}> {{llvm.noalias}}" for name in "ab")
    return f"""func.func @f({buffers}, %c: memref<1x{element}> {{llvm.noalias}}) {{
      %zero = arith.constant 0.0 : {element}
      %three = arith.constant 3.0 : {element}
      %r = affine.for %i = 0 to 4096 iter_args(%s = %zero) -> ({element}) {{
        %x = affine.load %a[%i] : memref<4096x{element}>
        %y = affine.load %b[%i] : memref<4096x{element}>
        %w = arith.mulf %x, %y : {element}
        {then} : {element}
        %u = arith.addf %s, %z : {element}
        affine.yield %u : {element} }}
      affine.store %r, %c[0] : memref<1x{element}>
      return }}"""


@pytest.mark.parametrize(
    ("text", "name", "cycles"),
    [
        (pairs("arith.maximumf %x, %y"), "znver4", 788),
        (pairs("arith.addf %x, %y", "f16"), "znver4", 1552),
        (dot("f16", "%z = arith.negf %w"), "skylake-avx512", 131_000),
        (dot("f16", "%z = arith.addf %w, %three"), "znver4", 39_109),  # the constant is where sums would be
        (dot("f16", "%z = arith.addf %w, %three"), "skylake-avx512", 58_971),
    ],
)
def test_cycles(text: str, name: str, cycles: float) -> None:
    assert code_of(text, name).cycles == pytest.approx(cycles, rel=0.15)


def test_an_absolute_value_is_one_instruction() -> None:
    sizes = [
        body_of(code_of(dot("f32", op), "znver4").loop, cpu("znver4"))[0]
        for op in ("%z = arith.addf %w, %w", "%z = math.absf %w", "%z = arith.maximumf %w, %zero")
    ]
    assert sizes[0] == sizes[1] == sizes[2] - 2.0


@pytest.mark.parametrize(("name", "cycles"), [("znver4", 10_247), ("skylake-avx512", 21_676)])
def test_a_call_is_one_micro_operation_of_zen_4(name: str, cycles: float) -> None:
    text = pairs("math.atan2 %x, %y")
    text = text.replace("math.atan2 %x, %y", "math.erf %x").replace("f32", "f64")
    assert code_of(text, name).cycles == pytest.approx(cycles, rel=0.4)


CALLED = """func.func @f(%a: memref<64x16xf16>, %c: memref<64x16xf16>) {
  affine.for %i = 0 to 64 { affine.for %j = 0 to 16 {
    %x = affine.load %a[%i, %j] : memref<64x16xf16>
    %z = math.exp %x : f16
    affine.store %z, %c[%i, %j] : memref<64x16xf16> } }
  return }"""


@pytest.mark.parametrize(("name", "cycles"), [("znver4", 11_307), ("skylake-avx512", 12_336)])
def test_operands_and_results_of_calls_are_one_chain_through_the_first_register(name: str, cycles: float) -> None:
    assert code_of(CALLED, name).cycles == pytest.approx(cycles, rel=0.02)


@pytest.mark.parametrize(
    ("name", "op", "instructions", "cycles"),
    [
        ("znver4", "math.sqrt", 2_563, 21_564),
        ("skylake-avx512", "math.sqrt", 643, 14_776),
        ("znver4", "math.floor", 163, 8_811),
        ("skylake-avx512", "math.floor", 83, 15_019),
    ],
)
def test_a_vector_of_halves_is_taken_apart_for_roots_and_rounding(
    name: str, op: str, instructions: float, cycles: float
) -> None:
    code = code_of(pairs(f"{op} %x", "f16"), name)
    assert code.vf > 1
    assert code.interleave == 1
    assert code.instructions == pytest.approx(instructions, rel=0.15)
    assert code.cycles == pytest.approx(cycles, rel=0.13)


def test_halves_that_are_rounded_are_not_packed() -> None:
    """opt-22 has no remark of SLP; 217 cycles on Zen 4, one element after the other."""
    text = pairs("math.floor %m", "f16").replace("%z =", "%m = arith.mulf %x, %y : f16 %z =").replace("4096", "8")
    assert code_of(text, "znver4").cycles == pytest.approx(217, rel=0.02)


DIVIDED = """func.func @f(%a: memref<9xf16> {llvm.noalias}, %b: memref<9xf16> {llvm.noalias},
    %c: memref<9xf16> {llvm.noalias}) {
  %zero = arith.constant 0.0 : f16
  affine.for %i = 0 to 9 {
    %x = affine.load %a[%i] : memref<9xf16>
    %y = affine.load %b[%i] : memref<9xf16>
    %d = arith.divf %x, %y : f16
    %z = arith.maximumf %d, %zero : f16
    %w = math.sqrt %z : f16
    affine.store %w, %c[%i] : memref<9xf16> }
  return }"""


@pytest.mark.parametrize(("name", "cycles"), [("znver4", 94.5), ("skylake-avx512", 118.0)])
def test_a_constant_of_what_is_written_out_has_the_first_register(name: str, cycles: float) -> None:
    assert code_of(DIVIDED, name).cycles == pytest.approx(cycles, rel=0.3)


@pytest.mark.parametrize("name", ["znver4", "skylake-avx512"])
def test_a_root_of_a_half_costs_one_and_a_lane_of_a_vector_nearly_three(name: str) -> None:
    """opt-22 has no vectors of it (99 instructions in the loop)."""
    text = CALLED.replace("%z = math.exp %x : f16", "%y = math.absf %x : f16 %z = math.sqrt %y : f16")
    code = code_of(text, name)
    assert code.vf == 1
    assert code.instructions == pytest.approx(99, rel=0.2)


SCATTERED = """func.func @f(%i: memref<512xi64> {llvm.noalias}, %x: memref<512xf16> {llvm.noalias},
                              %y: memref<900xf16> {llvm.noalias}) {
  affine.for %n = 0 to 512 {
    %a = affine.load %i[%n] : memref<512xi64>
    %k = arith.index_cast %a : i64 to index
    %b = memref.load %y[%k] : memref<900xf16>
    %c = affine.load %x[%n] : memref<512xf16>
    %d = arith.addf %b, %c : f16
    memref.store %d, %y[%k] : memref<900xf16> }
  return }"""

MOVED = """func.func @f(%x: memref<64x16xf16> {llvm.noalias}, %y: memref<5x64xf16> {llvm.noalias}) {
  affine.for %i = 0 to 64 { affine.for %j = 0 to 5 {
    %a = affine.load %x[%i, %j * 3] : memref<64x16xf16>
    affine.store %a, %y[%j, %i] : memref<5x64xf16> } }
  return }"""

LARGEST = """func.func @f(%x: memref<40x16xf16> {llvm.noalias}, %y: memref<40xf16> {llvm.noalias}) {
  affine.for %i = 0 to 40 { affine.for %j = 0 to 16 {
    %a = affine.load %x[%i, %j] : memref<40x16xf16>
    %b = affine.load %y[%i] : memref<40xf16>
    %c = arith.maximumf %a, %b : f16
    affine.store %c, %y[%i] : memref<40xf16> } }
  return }"""

CORRELATED = """func.func @f(%x: memref<260xf16>, %y: memref<260xf16>, %z: memref<1xf32>) {
  %zero = arith.constant 0.0 : f32
  %r = affine.for %i = 0 to 260 iter_args(%t = %zero) -> (f32) {
    %a = affine.load %x[%i] : memref<260xf16>
    %b = arith.extf %a : f16 to f32
    %c = affine.load %y[%i] : memref<260xf16>
    %d = arith.extf %c : f16 to f32
    %e = arith.mulf %b, %d : f32
    %s = arith.addf %t, %e : f32
    affine.yield %s : f32 }
  affine.store %r, %z[0] : memref<1xf32>
  return }"""


@pytest.mark.parametrize(
    ("text", "name", "cycles"),
    [
        (SCATTERED, "skylake-avx512", 8764),
        (SCATTERED, "znver4", 9267),
        (MOVED, "znver4", 1290),
        (LARGEST, "skylake-avx512", 14_495),
        (LARGEST, "znver4", 11_484),
        (CORRELATED, "skylake-avx512", 4176),
        (CORRELATED, "znver4", 3654),
    ],
)
def test_halves_go_through_the_first_vector_register(text: str, name: str, cycles: float) -> None:
    assert code_of(text, name).cycles == pytest.approx(cycles, rel=0.2 if text == LARGEST else 0.1)


def test_halves_beside_wide_indices_are_computed_as_halves() -> None:
    assert code_of(SCATTERED, "znver4").instructions == pytest.approx(69, rel=0.1)
