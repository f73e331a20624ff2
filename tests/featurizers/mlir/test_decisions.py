"""What the middle end decides: dead code, chains of unrolled bodies, copies, near decisions."""

from __future__ import annotations

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.codegen import generate
from featurizers.mlir.decisions import DECISIONS, decisions
from featurizers.mlir.loop import CARRIED, VECTORISABLE
from featurizers.mlir.opclass import CLASS
from featurizers.mlir.program import Program

FEATURIZER = MlirFeaturizer()


def parse(text: str) -> Program:
    return FEATURIZER.parse({"mlir": text})


def reduction(element: str, add: str, unroll: int) -> str:
    """A sum over 512 elements, unrolled in the text."""
    body, carried = [], "%sum"
    for k in range(unroll):
        body.append(f"%x{k} = affine.load %a[%i + {k}] : memref<512x{element}>")
        body.append(f"%s{k} = {add} {carried}, %x{k} : {element}")
        carried = f"%s{k}"
    inside = " ".join(body)
    return f"""func.func @f(%a: memref<512x{element}>, %start: {element}) -> {element} {{
      %r = affine.for %i = 0 to 512 step {unroll} iter_args(%sum = %start) -> ({element}) {{
        {inside} affine.yield {carried} : {element} }}
      return %r : {element} }}"""


def test_variants_that_differ_in_dead_code_have_the_same_columns() -> None:
    plain = "func.func @f(%a: f32) -> f32 { %b = arith.addf %a, %a : f32 return %b : f32 }"
    dead = plain.replace("return", "%c = arith.mulf %b, %b : f32 %d = arith.addf %a, %a : f32 return")
    assert (FEATURIZER.features([parse(plain)]).vectors == FEATURIZER.features([parse(dead)]).vectors).all()


def test_an_unrolled_sum_waits_for_each_of_its_additions() -> None:
    inner = parse(reduction("f64", "arith.addf", 4)).loops[0].walk()[-1]
    assert [(c.op_class, c.steps) for c in inner.chains] == [(CLASS["fadd"], 4.0)]
    assert inner.legality == CARRIED
    code = generate(parse(reduction("f64", "arith.addf", 4)).loops[0], cpu("znver4"))[-1]
    whole = generate(parse(reduction("f64", "arith.addf", 1)).loops[0], cpu("znver4"))[-1]
    assert code.chain_cycles == 4 * whole.chain_cycles
    assert abs(code.cycles / whole.cycles - 1) < 0.05, "the same additions, one after the other"


def test_an_unrolled_integer_sum_may_be_reassociated() -> None:
    inner = parse(reduction("i32", "arith.addi", 4)).loops[0].walk()[-1]
    assert inner.legality == VECTORISABLE
    assert inner.chains[0].steps == 4.0


def copy(attribute: str, value: str = "%x", count: int = 12, width: int = 0) -> Program:
    width = width or count
    load = f"%x = affine.load %a[%j] : memref<{count}xf32>" if value == "%x" else ""
    return parse(f"""func.func @f(%a: memref<{count}xf32> {attribute}, %b: memref<1000x{width}xf32> {attribute}) {{
      %z = arith.constant 0.0 : f32
      affine.for %i = 0 to 1000 {{ affine.for %j = 0 to {count} {{
        {load} affine.store {value}, %b[%i, %j] : memref<1000x{width}xf32> }} }}
      return }}""")


def test_a_loop_that_copies_is_wide_moves_or_a_call() -> None:
    (_, outer) = copy("{llvm.noalias}").loops[0].walk()
    assert [access.lanes for access in outer.accesses if access.copied] == [12]
    (_, outer) = copy("{llvm.noalias}", count=80).loops[0].walk()
    assert outer.counts[CLASS["call"]] == 1, "320 bytes"
    assert outer.counts[CLASS["store"]] == 0
    assert copy("{llvm.noalias}", count=64).loops[0].walk()[1].counts[CLASS["call"]] == 0, "16 registers of 256 bits"
    walked = copy("", count=200).loops[0].walk()
    assert len(walked) == 3, "buffers that may overlap are copied element by element"


def test_a_fill_with_zero_is_one_call_for_the_whole_buffer() -> None:
    (root,) = copy("", value="%z", count=144).loops[0].walk()
    assert root.counts[CLASS["call"]] == 1
    rows = copy("", value="%z", count=144, width=145).loops[0].walk()
    assert [loop.counts[CLASS["call"]] for loop in rows] == [0, 1], "a row of 576 bytes, and an element between rows"
    rows = copy("", value="%z", count=80, width=81).loops[0].walk()
    assert rows[-1].counts[CLASS["call"]] == 0, "up to 512 bytes are cleared in place"


def test_near_decisions_say_how_much_the_code_would_grow() -> None:
    program = parse(reduction("f64", "arith.addf", 4))
    found = dict(zip([name for name, _ in DECISIONS], decisions(program.loops, 40.0), strict=True))
    inner = program.loops[0].walk()[-1]
    assert found["kept1_trip"] == 128
    assert found["kept1_size"] == found["kept_smallest"] == (inner.total - 2) * 128 + 2
    assert found["kept1_growth"] > 0
    assert found["kept2_size"] == 0
