"""Limits that values never reach, and overlap checks of many buffers, as opt-22 -O3 made them."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu, opclass
from featurizers.mlir.codegen import generate

FEATURIZER = MlirFeaturizer()


@pytest.mark.parametrize(("extension", "limits"), [("extui", 0), ("extsi", 1)])
def test_means_of_bytes_need_no_limits(extension: str, limits: int) -> None:
    """The mean of two bytes without a sign is one: neither limit is code. One with a sign may be below nothing."""
    text = f"""func.func @f(%a: memref<64xi8> {{llvm.noalias}}, %b: memref<64xi8> {{llvm.noalias}}) {{
      %one = arith.constant 1 : i32
      %low = arith.constant 0 : i32
      %high = arith.constant 255 : i32
      affine.for %i = 0 to 63 {{
        %x = affine.load %a[%i] : memref<64xi8>
        %y = affine.load %a[%i + 1] : memref<64xi8>
        %p = arith.{extension} %x : i8 to i32
        %q = arith.{extension} %y : i8 to i32
        %s = arith.addi %p, %q : i32
        %h = arith.shrsi %s, %one : i32
        %t = arith.maxsi %h, %low : i32
        %u = arith.minsi %t, %high : i32
        %v = arith.trunci %u : i32 to i8
        affine.store %v, %b[%i] : memref<64xi8> }}
      return }}"""
    loop = FEATURIZER.parse({"mlir": text}).loops[0].children[0]
    assert loop.counts[opclass.IMINMAX] == limits


def products(buffers: int, trip: int, outer: int = 1) -> str:
    """Products of so many buffers, stored to as many, none of which is known to be another one."""
    kind = f"memref<{outer}x{trip}xf32>"
    names = [f"%{side}{k}: {kind}" for side in "ab" for k in range(buffers)]
    reads = [f"%x{k} = affine.load %a{k}[%o, %i] : {kind}" for k in range(buffers)]
    steps = [f"%s{k} = arith.mulf {f'%s{k - 1}' if k > 1 else '%x0'}, %x{k} : f32" for k in range(1, buffers)]
    writes = [
        f"%w{k} = arith.mulf %s{buffers - 1}, %x{k} : f32 affine.store %w{k}, %b{k}[%o, %i] : {kind}"
        for k in range(buffers)
    ]
    return f"""func.func @f({", ".join(names)}) {{
      affine.for %o = 0 to {outer} {{ affine.for %i = 0 to {trip} {{ {" ".join(reads + steps + writes)} }} }}
      return }}"""


@pytest.mark.parametrize(
    ("buffers", "trip", "outer", "vf"),
    [(3, 256, 1, 8), (4, 1024, 1, 8), (4, 17, 2, 1), (3, 17, 50, 8)],
)
def test_overlap_checks_cost_what_they_cost_and_are_made_once_for_a_nest(
    buffers: int, trip: int, outer: int, vf: int
) -> None:
    target = cpu("skylake-avx512")
    found = generate(FEATURIZER.parse({"mlir": products(buffers, trip, outer)}).loops[0], target)
    assert max(code.vf for code in found) == vf


def chosen(stores: int, name: str) -> int:
    """The vector factor of stores to so many buffers under a condition."""
    kind = "memref<256xf32>"
    buffers = ", ".join(f"%b{k}: {kind} {{llvm.noalias}}" for k in range(stores))
    writes = " ".join(f"affine.store %y, %b{k}[%i] : {kind}" for k in range(stores))
    text = f"""func.func @f(%a: {kind} {{llvm.noalias}}, {buffers}, %q: f32) {{
      affine.for %i = 0 to 256 {{
        %x = affine.load %a[%i] : {kind}
        %c = arith.cmpf ogt, %x, %q : f32
        %y = arith.addf %x, %q : f32
        scf.if %c {{ {writes} }} }}
      return }}"""
    return generate(FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0], cpu(name))[-1].vf


@pytest.mark.parametrize(
    ("name", "one", "three"),
    [("apple-m1", 4, 1), ("cortex-a55", 4, 1), ("skylake-avx512", 8, 8), ("neoverse-v1", 8, 8)],
)
def test_one_store_under_a_condition_is_vectorised_without_masks_and_no_more(name: str, one: int, three: int) -> None:
    assert (chosen(1, name), chosen(3, name)) == (one, three)


def test_choices_have_the_bounds_of_both() -> None:
    """The larger of a choice between bytes and their complement and nothing is itself."""
    text = """func.func @f(%a: memref<64xi8> {llvm.noalias}, %b: memref<64xi8> {llvm.noalias}) {
      %middle = arith.constant 100 : i32
      %most = arith.constant 255 : i32
      %least = arith.constant 0 : i32
      affine.for %i = 0 to 64 {
        %x = affine.load %a[%i] : memref<64xi8>
        %p = arith.extui %x : i8 to i32
        %c = arith.cmpi slt, %p, %middle : i32
        %q = arith.subi %most, %p : i32
        %r = arith.select %c, %p, %q : i32
        %s = arith.maxsi %r, %least : i32
        %t = arith.trunci %s : i32 to i8
        affine.store %t, %b[%i] : memref<64xi8> }
      return }"""
    assert FEATURIZER.parse({"mlir": text}).loops[0].children[0].counts[opclass.IMINMAX] == 0
