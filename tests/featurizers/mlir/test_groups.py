"""Vector loops of RISC-V, beside the code of llc-22 for Sifive P670."""

from __future__ import annotations

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.groups import summed

FEATURIZER = MlirFeaturizer()


def codes(text: str, name: str = "sifive-p670") -> list[LoopCode]:
    """Of the loops of the one function, outermost first."""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[1:]


def rows(distance: int) -> str:
    """The sum of three rows that lie so far apart."""
    kind = f"memref<8x{distance}xi32>"
    return f"""func.func @f(%a: {kind} {{llvm.noalias}}, %b: memref<64xi32> {{llvm.noalias}}) {{
      affine.for %i = 0 to 64 {{
        %x = affine.load %a[0, %i] : {kind}
        %y = affine.load %a[1, %i] : {kind}
        %z = affine.load %a[2, %i] : {kind}
        %s = arith.addi %x, %y : i32
        %t = arith.addi %s, %z : i32
        affine.store %t, %b[%i] : memref<64xi32> }}
      return }}"""


def test_vector_accesses_of_risc_v_have_no_offset() -> None:
    (near,), (far,) = codes(rows(64)), codes(rows(1024))
    assert far.instructions - near.instructions == 2  # lui and add
    (arm,), (further,) = codes(rows(64), "apple-m1"), codes(rows(1024), "apple-m1")
    assert arm.instructions == further.instructions


def product(count: int) -> str:
    """Rows times a row of so many elements, all of which wait around the loop."""
    kind = f"memref<{count}x64xi64>"
    return f"""func.func @f(%a: memref<32x{count}xi64> {{llvm.noalias}}, %b: {kind} {{llvm.noalias}},
                            %c: memref<32x64xi64> {{llvm.noalias}}) {{
      affine.for %i = 0 to 32 {{ affine.for %j = 0 to 64 {{ affine.for %k = 0 to {count} {{
        %x = affine.load %a[%i, %k] : memref<32x{count}xi64>
        %y = affine.load %b[%k, %j] : {kind}
        %z = affine.load %c[%i, %j] : memref<32x64xi64>
        %p = arith.muli %x, %y : i64
        %s = arith.addi %z, %p : i64
        affine.store %s, %c[%i, %j] : memref<32x64xi64> }} }} }}
      return }}"""


def test_groups_of_registers_on_the_stack_are_found_by_the_length_of_vectors() -> None:
    few, many = codes(product(8))[-1], codes(product(24))[-1]
    assert few.spills == 0 < many.spills
    assert many.instructions - few.instructions > 16 * 4 + 8 * many.spills


def test_registers_of_one_are_twice_as_many_as_groups_of_two() -> None:
    text = product(24).replace("32x64", "32x2").replace("24x64", "24x2").replace("0 to 64", "0 to 6")
    assert codes(text)[-1].spills < codes(product(24))[-1].spills


def largest(count: int, operation: str = "maximumf", bits: int = 64) -> str:
    return f"""func.func @f(%a: memref<{count}xf{bits}>) -> f{bits} {{
      %z = arith.constant 0.0 : f{bits}
      %r = affine.for %i = 0 to {count} iter_args(%m = %z) -> f{bits} {{
        %x = affine.load %a[%i] : memref<{count}xf{bits}>
        %y = arith.{operation} %m, %x : f{bits}
        affine.yield %y : f{bits} }}
      return %r : f{bits} }}"""


def test_maxima_that_propagate_nan_have_vectors_of_fixed_length() -> None:
    (short,), (other,) = codes(largest(76)), codes(largest(76, "maxnumf"))
    assert (short.vf, short.unroll, short.full) == (4, 19, True)  # five for each
    assert (other.vf, other.unroll) == (4, 1)
    (even,), (odd,) = codes(largest(1024)), codes(largest(1021))
    assert (even.interleave, odd.interleave) == (1, 2)
    assert (even.remainder, odd.remainder) == (False, True)


STENCIL = """func.func @f(%a: memref<83x60xf32>, %b: memref<83x60xf32>) {
  affine.for %i = 1 to 82 { affine.for %j = 1 to 59 {
    %x = affine.load %a[%i - 1, %j] : memref<83x60xf32>
    %y = affine.load %a[%i, %j - 1] : memref<83x60xf32>
    %z = affine.load %a[%i, %j + 1] : memref<83x60xf32>
    %s = arith.addf %x, %y : f32
    %t = arith.addf %s, %z : f32
    affine.store %t, %b[%i, %j] : memref<83x60xf32> } }
  return }"""


def test_a_loop_around_checks_has_too_many_blocks_to_be_unrolled_on_risc_v() -> None:
    around, inner = codes(STENCIL)
    assert inner.checks
    assert around.unroll == 1
    apart = STENCIL.replace("60xf32>, %b", "60xf32> {llvm.noalias}, %b").replace("xf32>)", "xf32> {llvm.noalias})")
    assert codes(apart)[0].unroll > 1


WRITTEN_OUT = """func.func @f(%a: memref<256xf64>, %s: f64) -> f64 {
  %r = affine.for %i = 0 to 256 step 4 iter_args(%m = %s) -> f64 {
    %x = affine.load %a[%i] : memref<256xf64>
    %0 = arith.minimumf %m, %x : f64
    %y = affine.load %a[%i + 1] : memref<256xf64>
    %1 = arith.minimumf %0, %y : f64
    %z = affine.load %a[%i + 2] : memref<256xf64>
    %2 = arith.minimumf %1, %z : f64
    %w = affine.load %a[%i + 3] : memref<256xf64>
    %3 = arith.minimumf %2, %w : f64
    affine.yield %3 : f64 }
  return %r : f64 }"""


def test_groups_of_fixed_length_are_too_large_to_be_unrolled() -> None:
    (code,) = codes(WRITTEN_OUT)
    assert (code.vf, code.full) == (4, False)


def sums_of_indices(width: int) -> int:
    """Of a copy of rows of 251, side by side or so far apart."""
    text = f"""func.func @f(%a: memref<79x251xf32> {{llvm.noalias}}, %b: memref<79x{width}xf32> {{llvm.noalias}}) {{
      affine.for %i = 0 to 79 {{ affine.for %j = 0 to 251 {{
        %0 = affine.load %a[%i, %j] : memref<79x251xf32>
        %1 = arith.addf %0, %0 : f32
        affine.store %1, %b[%i, %j] : memref<79x{width}xf32> }} }}
      return }}"""
    return summed(codes(text)[-1].loop)


def test_vector_loops_add_the_index_of_the_loop_around_in_each_iteration() -> None:
    """llc: one ``add``, where the places are as far apart in both buffers, and ``sh2add`` for each."""
    assert sums_of_indices(251) == 1
    assert sums_of_indices(252) == 0
