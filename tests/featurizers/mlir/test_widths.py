"""Loops on elements of several widths: vector factors, sizes and conversions as opt-22 -O3 made them."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu, opclass
from featurizers.mlir.codegen import LoopCode, generate

FEATURIZER = MlirFeaturizer()

BLEND = """func.func @f(%a: memref<4096xi8> {llvm.noalias}, %b: memref<4096xi8> {llvm.noalias},
                        %o: memref<4096xi8> {llvm.noalias}, %c: i32) {
  %three = arith.constant 3 : i32
  affine.for %i = 0 to 4096 {
    %x = affine.load %a[%i] : memref<4096xi8>
    %y = affine.load %b[%i] : memref<4096xi8>
    %p = arith.extui %x : i8 to i32
    %q = arith.extui %y : i8 to i32
    %r = arith.muli %p, %c : i32
    %s = arith.addi %r, %q : i32
    %t = arith.shrsi %s, %three : i32
    %u = arith.trunci %t : i32 to i8
    affine.store %u, %o[%i] : memref<4096xi8> }
  return }"""


def codes(text: str, name: str) -> list[LoopCode]:
    target = cpu(name)
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(target.isa)[0], target)


@pytest.mark.parametrize(
    ("name", "vf"),
    [("skylake-avx512", 32), ("znver4", 64), ("apple-m1", 16), ("cortex-a55", 16), ("neoverse-v1", 32),
     ("sifive-p670", 32)],
)  # fmt: skip
def test_vectors_are_as_long_as_what_is_moved_allows(name: str, vf: int) -> None:
    assert codes(BLEND, name)[-1].vf == vf


def strided(count: int, products: int) -> str:
    """So many neighbouring bytes of each row of 44, and operations on their difference."""
    reads = [
        f"%x{k} = affine.load %p[%i * 44 + {k}] : memref<16000xi8> %y{k} = arith.extsi %x{k} : i8 to i32"
        for k in range(count)
    ]
    steps = [f"%s{k} = arith.subi {'%y0' if k == 1 else f'%s{k - 1}'}, %y{k} : i32" for k in range(1, count)]
    more = [
        f"%m{k} = arith.{'muli' if k % 2 else 'addi'} {f'%m{k - 1}' if k else f'%s{count - 1}'}, %q : i32"
        for k in range(products)
    ]
    return f"""func.func @f(%p: memref<16000xi8> {{llvm.noalias}}, %o: memref<240xi32> {{llvm.noalias}}, %q: i32) {{
      affine.for %i = 0 to 240 {{ {" ".join(reads + steps + more)}
        affine.store %m{products - 1}, %o[%i] : memref<240xi32> }}
      return }}"""


@pytest.mark.parametrize(("name", "least"), [("skylake-avx512", 20), ("apple-m1", 21)])
def test_bytes_that_are_no_neighbours_are_gathered_for_enough_work(name: str, least: int) -> None:
    assert codes(strided(12, least - 1), name)[-1].vf == 1
    assert codes(strided(12, least), name)[-1].vf > 1


def test_conversions_of_what_is_loaded_or_stored_are_no_code() -> None:
    wide = BLEND.replace("i8", "i32").replace("arith.extui %x : i32 to i32", "arith.addi %x, %c : i32")
    wide = wide.replace("arith.extui %y : i32 to i32", "arith.addi %y, %c : i32")
    wide = wide.replace("arith.trunci %t : i32 to i32", "arith.xori %t, %c : i32")
    (_, narrow), (_, plain) = codes(BLEND, "sifive-p670"), codes(wide, "sifive-p670")
    assert plain.loop.size - narrow.loop.size == 3.0


def test_the_larger_less_the_smaller_is_an_absolute_difference() -> None:
    far = BLEND.replace("arith.muli %p, %c : i32", "arith.maxsi %p, %q : i32")
    far = far.replace("arith.addi %r, %q : i32", "arith.minsi %p, %q : i32")
    far = far.replace("arith.shrsi %s, %three : i32", "arith.subi %r, %s : i32")
    counts = FEATURIZER.parse({"mlir": far}).loops[0].children[0].counts
    assert counts[opclass.IMINMAX] == counts[opclass.IADD] == 1


@pytest.mark.parametrize(("element", "stride", "least"), [("i8", 44, 5), ("i16", 44, 26), ("i32", 13, 7)])
def test_stores_that_are_no_neighbours_are_dear_without_scatters(element: str, stride: int, least: int) -> None:
    """Operations from which on opt-22 takes a loop of one load and one store for apple-m1, within one."""

    def text(count: int) -> str:
        more = [
            f"%m{k} = arith.{'muli' if k % 2 else 'xori'} {f'%m{k - 1}' if k else '%x'}, %q : {element}"
            for k in range(count)
        ]
        kind = f"memref<16000x{element}>"
        return f"""func.func @f(%p: {kind} {{llvm.noalias}}, %o: {kind} {{llvm.noalias}}, %q: {element}) {{
          affine.for %i = 0 to 240 {{ %x = affine.load %p[%i * {stride}] : {kind} {" ".join(more)}
            affine.store %m{count - 1}, %o[%i * {stride}] : {kind} }}
          return }}"""

    assert codes(text(least - 2), "apple-m1")[-1].vf == 1
    assert codes(text(least), "apple-m1")[-1].vf > 1


def test_products_that_shifts_stand_for_are_products_to_the_vectoriser() -> None:
    """opt-22 takes 32 bytes of every third row times 3 for skylake-avx512 (3 each, 4 for a vector), and not plus 3."""

    def text(operation: str) -> str:
        return f"""func.func @f(%a: memref<330x32xi8>, %b: memref<32x110xi8>) {{
          %three = arith.constant 3 : i8
          affine.for %i = 0 to 110 {{ affine.for %j = 0 to 32 {{
            %x = affine.load %a[%i * 3, %j] : memref<330x32xi8>
            %y = arith.{operation} %x, %three : i8
            affine.store %y, %b[%j, %i] : memref<32x110xi8> }} }}
          return }}"""

    assert codes(text("muli"), "skylake-avx512")[-1].vf == 32
    assert codes(text("addi"), "skylake-avx512")[-1].vf == 1


def products_of_rows(length: int, step: int) -> str:
    """Scalar products of rows of two buffers, so many terms in each iteration of the source."""
    terms = " ".join(
        f"""%x{k} = affine.load %a[%i, %k + {k}] : memref<12x{length}xi16>
            %y{k} = affine.load %b[%j, %k + {k}] : memref<23x{length}xi16>
            %u{k} = arith.extsi %x{k} : i16 to i32 %v{k} = arith.extsi %y{k} : i16 to i32
            %p{k} = arith.muli %u{k}, %v{k} : i32 %s{k + 1} = arith.addi %s{k}, %p{k} : i32"""
        for k in range(step)
    )
    return f"""func.func @f(%a: memref<12x{length}xi16>, %b: memref<23x{length}xi16>, %c: memref<12x23xi32>) {{
      %z = arith.constant 0 : i32
      affine.for %i = 0 to 12 {{ affine.for %j = 0 to 23 {{
        %r = affine.for %k = 0 to {length} step {step} iter_args(%s0 = %z) -> (i32) {{ {terms}
          affine.yield %s{step} : i32 }}
        affine.store %r, %c[%i, %j] : memref<12x23xi32> }} }}
      return }}"""


def test_indices_of_several_buffers_have_an_address_each_on_riscv() -> None:
    """opt-22 leaves a loop of thirteen iterations, each of four terms, to the vectoriser."""
    found = codes(products_of_rows(52, 4), "sifive-p670")[-1]
    assert found.loop.trip == 13
    assert found.vf == 8


@pytest.mark.parametrize(("name", "instructions"), [("skylake-avx512", 9), ("apple-m1", 31), ("sifive-p670", 12)])
def test_packed_bytes_take_the_registers_of_what_is_computed_on(name: str, instructions: int) -> None:
    lines = [
        f"""%x{k} = affine.load %a[{k}] : memref<64xi8> %p{k} = arith.extui %x{k} : i8 to i32
            %q{k} = arith.muli %p{k}, %c : i32 %r{k} = arith.shrsi %q{k}, %t : i32
            %s{k} = arith.maxsi %r{k}, %z : i32 %u{k} = arith.minsi %s{k}, %m : i32
            %v{k} = arith.trunci %u{k} : i32 to i8 affine.store %v{k}, %b[{k}] : memref<64xi8>"""
        for k in range(16)
    ]
    text = f"""func.func @f(%a: memref<64xi8> {{llvm.noalias}}, %b: memref<64xi8> {{llvm.noalias}}, %c: i32) {{
      %t = arith.constant 3 : i32
      %z = arith.constant 0 : i32
      %m = arith.constant 255 : i32
      {" ".join(lines)}
      return }}"""
    (code,) = codes(text, name)
    assert code.instructions == pytest.approx(instructions, abs=3.5)


@pytest.mark.parametrize(("trip", "instructions"), [(1028, 35), (1030, 44), (1036, 41)])
def test_what_whole_vectors_leave_is_of_the_narrower_vectors_that_fit(trip: int, instructions: int) -> None:
    text = f"""func.func @f(%a: memref<{trip}xf32> {{llvm.noalias}}, %b: memref<{trip}xf32> {{llvm.noalias}},
                            %q: f32) {{
      affine.for %i = 0 to {trip} {{
        %x = affine.load %a[%i] : memref<{trip}xf32>
        %y = arith.mulf %x, %q : f32
        %z = arith.addf %y, %q : f32
        affine.store %z, %b[%i] : memref<{trip}xf32> }}
      return }}"""
    total = sum(code.instructions for code in codes(text, "skylake-avx512"))
    assert total == pytest.approx(instructions, abs=9)
