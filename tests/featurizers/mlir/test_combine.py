"""Whole numbers in loops as instruction combining leaves them (``opt-22 -passes=instcombine`` on the same bodies)."""

from __future__ import annotations

import pytest

from featurizers.mlir import cpu, opclass
from featurizers.mlir.codegen import LoopCode, generate
from featurizers.mlir.counting import REVERSED, TURNED, beyond
from featurizers.mlir.loop import Loop
from featurizers.mlir.opclass import CLASS
from tests.featurizers.mlir.generated import FEATURIZER, estimated


def parsed(body: str, kind: str = "i32", length: int = 2000) -> Loop:
    """A loop that computes %r of %x and %y."""
    numbers = {"one": 1, "two": 2, "four": 4, "eight": 8, "sixteen": 16, "twelve": 12, "last": 31, "twentyfour": 24}
    numbers |= {"low": 255, "second": 65280, "third": 16711680, "most": 60, "more": 108, "few": 100}
    buffer = f"memref<{length}x{kind}>"
    given = ", ".join([f"%{name}: {buffer} {{llvm.noalias}}" for name in "abc"])
    constants = "\n".join([f"%{name} = arith.constant {number} : {kind}" for name, number in numbers.items()])
    text = f"""func.func @f({given}) {{
      {constants}
      affine.for %i = 0 to {length} {{
        %x = affine.load %a[%i] : {buffer}
        %y = affine.load %b[%i] : {buffer}
        {body.replace("KIND", kind)}
        affine.store %r, %c[%i] : {buffer}
      }}
      return }}"""
    return FEATURIZER.parse({"mlir": text}).loops[0]


def counts(body: str) -> dict[str, float]:
    found = parsed(body).children[0].counts
    return {name: found[index] for name, index in CLASS.items() if found[index]}


MOVES = {"load": 2.0, "store": 1.0}
ABSOLUTE = """%s = arith.shrsi %x, %last : KIND
              %t = arith.xori %x, %s : KIND
              %u = arith.subi %t, %s : KIND
              %r = arith.addi %u, %y : KIND"""
NEGATIVE = """%s = arith.shrsi %x, %last : KIND
              %t = arith.andi %x, %s : KIND
              %r = arith.addi %t, %y : KIND"""
TOGGLED = """%s = arith.andi %x, %most : KIND
             %t = arith.ori %s, %four : KIND
             %u = arith.xori %t, %eight : KIND
             %r = arith.addi %u, %y : KIND"""
BYTES = """%p = arith.shli %x, %twentyfour : KIND
           %q = arith.shli %x, %eight : KIND
           %q1 = arith.andi %q, %third : KIND
           %s = arith.shrui %x, %eight : KIND
           %s1 = arith.andi %s, %second : KIND
           %t = arith.shrui %x, %twentyfour : KIND
           %u = arith.ori %p, %q1 : KIND
           %v = arith.ori %s1, %t : KIND
           %w = arith.ori %u, %v : KIND
           %r = arith.addi %w, %y : KIND"""


def test_signs_that_are_masks_are_absolute_values_and_minima() -> None:
    assert counts(ABSOLUTE) == MOVES | {"iadd": 1.0, "iminmax": 1.0}
    assert counts(NEGATIVE) == MOVES | {"iadd": 1.0, "iminmax": 1.0}


def test_masks_of_numbers_are_two_steps() -> None:
    assert counts(TOGGLED) == MOVES | {"iadd": 1.0, "logic": 2.0}


def test_bytes_that_are_turned_around_are_one_operation() -> None:
    assert counts(BYTES) == MOVES | {"iadd": 1.0, "logic": 1.0}, "bswap"
    other = BYTES.replace("%x, %twentyfour : KIND\n           %u", "%y, %twentyfour : KIND\n           %u")
    assert counts(other)["logic"] > 5.0, "of two values"


def test_bits_in_reverse_are_one_operation() -> None:
    body, value = "", "%x"
    for step, mask in (("one", 85), ("two", 51), ("four", 15)):
        new = f"%{step}"
        body += f"""%m{mask} = arith.constant {mask} : i8
          %a{mask} = arith.shrui {value}, {new} : i8
          %b{mask} = arith.andi %a{mask}, %m{mask} : i8
          %c{mask} = arith.andi {value}, %m{mask} : i8
          %d{mask} = arith.shli %c{mask}, {new} : i8
          %e{mask} = arith.ori %b{mask}, %d{mask} : i8
          """
        value = f"%e{mask}"
    text = f"""func.func @f(%a: memref<2000xi8>, %b: memref<2000xi8>) {{
      %one = arith.constant 1 : i8
      %two = arith.constant 2 : i8
      %four = arith.constant 4 : i8
      affine.for %i = 0 to 2000 {{
        %x = affine.load %a[%i] : memref<2000xi8>
        {body}
        affine.store {value}, %b[%i] : memref<2000xi8>
      }}
      return }}"""
    found = FEATURIZER.parse({"mlir": text}).loops[0].children[0]
    assert found.fused == {REVERSED + 8: 1.0}
    assert sum(found.counts) == 3.0


def test_what_is_known_is_a_constant_and_what_it_was_of_is_gone() -> None:
    body = """%s = arith.minui %x, %most : KIND
              %t = arith.ori %s, %few : KIND
              %u = arith.shrui %t, %twelve : KIND
              %v = arith.muli %y, %y : KIND
              %r = arith.addi %u, %v : KIND"""
    assert counts(body) == {"load": 1.0, "store": 1.0, "imul": 1.0}, "nothing is left above twelve bits"


def test_equal_values_of_loops_side_by_side_are_two() -> None:
    """What one loop computes is not there in the other."""
    buffer = "memref<2000xi32>"
    one = f"""affine.for %i = 0 to 2000 {{
      %x = arith.shli %k, %c : i32
      affine.store %x, %a[%i] : {buffer}
    }}"""
    text = f"""func.func @f(%a: {buffer}, %k: i32, %n: i1) {{
      %c = arith.constant 3 : i32
      scf.if %n {{ {one} }} else {{ {one} }}
      return }}"""
    assert len(FEATURIZER.parse({"mlir": text}).loops[0].walk()) == 3


@pytest.mark.parametrize("name", ["skylake-avx512", "apple-m1", "sifive-p670"])
def test_loops_of_absolute_values_are_as_short_as_with_the_operation(name: str) -> None:
    def code(body: str) -> LoopCode:
        return max(generate(parsed(body), cpu(name)), key=lambda found: found.cycles)

    plain = "%u = math.absi %x : KIND %r = arith.addi %u, %y : KIND"
    assert code(ABSOLUTE).instructions == code(plain).instructions


def test_scalars_in_one_block_are_read_by_straight_alone() -> None:
    text = """func.func @f(%x: i32) -> i32 {
      %c = arith.constant 31 : i32
      %s = arith.shrsi %x, %c : i32
      %t = arith.xori %x, %s : i32
      %u = arith.subi %t, %s : i32
      return %u : i32 }"""
    root = FEATURIZER.parse({"mlir": text}).loops[0]
    assert root.counts[opclass.IMINMAX] == 0.0, "as it is written"
    assert root.nest.straight is not None
    assert root.nest.straight.values[root.nest.straight.results[0]].op == "abs"


TURNED_AROUND = """%k = arith.constant 31 : i32
                   %zero = arith.constant 0 : i32
                   %n = arith.andi %y, %k : i32
                   %less = arith.subi %zero, %y : i32
                   %m = arith.andi %less, %k : i32
                   %p = arith.shli %x, %n : i32
                   %q = arith.shrui %x, %m : i32
                   %r = arith.ori %p, %q : i32"""


def test_what_is_turned_around_by_a_value_is_one_operation() -> None:
    """``vprolvd``; on NEON six instructions, of which LLVM's cost is five."""
    body = parsed(TURNED_AROUND).children[0]
    assert body.fused == {TURNED + 32: 1.0}
    assert sum(body.counts) == 4.0, "two loads, a rotation, a store"
    assert beyond(body, cpu("skylake-avx512"), True, False) == 0.0
    assert beyond(body, cpu("apple-m1"), True, True) == 5.0
    other = TURNED_AROUND.replace("%x, %m", "%y, %m")
    assert parsed(other).children[0].fused.get(TURNED + 32) is None


def test_rotations_of_scalars_are_selected() -> None:
    """``rolw``, ``ret``; ``neg``, ``ror``, ``ret``."""
    text = f"func.func @f(%x: i32, %y: i32) -> i32 {{ {TURNED_AROUND} return %r : i32 }}"
    for name, count in (("sifive-p670", 2.0), ("cortex-a55", 3.0)):
        root = FEATURIZER.parse({"mlir": text}).loops_on(cpu(name).isa)[0]
        assert generate(root, cpu(name))[0].instructions == count


def moved(between: str, place: str = "%i") -> float:
    """Instructions of a function that loads an element and stores it."""
    text = f"""func.func @f(%a: memref<8x4xf32>, %b: memref<8x4xf32>, %i: index, %j: index, %s: f32) {{
      %x = memref.load %a[%i, %j] : memref<8x4xf32>
      {between}
      memref.store %x, %a[{place}, %j] : memref<8x4xf32>
      return }}"""
    return sum([code.instructions for code in generate(FEATURIZER.parse({"mlir": text}).loops[0], cpu("znver4"))])


def test_what_is_loaded_and_stored_back_is_nothing() -> None:
    assert moved("") == 0.0, "but its return"
    assert moved("", "%j") > 1.0
    assert moved("memref.store %s, %b[%i, %j] : memref<8x4xf32>") > moved("", "%j"), "the other may be the same buffer"


def test_limits_that_are_always_met_leave_a_constant() -> None:
    """A byte and fifteen, times 300, is beyond 255 (`CorrelatedValuePropagation`)."""
    buffer = "memref<2000xi8>"
    text = f"""func.func @f(%a: {buffer}, %b: {buffer}) {{
      %less = arith.constant -15 : i32
      %scale = arith.constant 300 : i32
      %zero = arith.constant 0 : i32
      %most = arith.constant MOST : i32
      affine.for %i = 0 to 2000 {{
        %x = affine.load %a[%i] : {buffer}
        %y = arith.extui %x : i8 to i32
        %s = arith.subi %y, %less : i32
        %t = arith.muli %s, %scale : i32
        %u = arith.maxsi %t, %zero : i32
        %v = arith.minsi %u, %most : i32
        %w = arith.trunci %v : i32 to i8
        affine.store %w, %b[%i] : {buffer}
      }}
      return }}"""
    found = [FEATURIZER.parse({"mlir": text.replace("MOST", most)}).loops[0] for most in ("255", "5000")]
    assert [sum(loop.counts) + sum([sum(child.counts) for child in loop.children]) for loop in found] == [1.0, 7.0]


def test_remainders_of_less_than_twice_the_divisor_are_minima() -> None:
    assert counts("""%s = arith.remui %x, %most : KIND
                     %t = arith.remui %s, %few : KIND
                     %r = arith.addi %t, %y : KIND""") == counts(
        """%s = arith.remui %x, %most : KIND
           %r = arith.addi %s, %y : KIND"""
    ), "60 is less than 100"
    body = """%few1 = arith.constant 41 : KIND
              %s = arith.remui %x, %most : KIND
              %t = arith.remui %s, %few1 : KIND
              %r = arith.addi %t, %y : KIND"""
    found = counts(body)
    assert (found["iminmax"], found["iadd"]) == (1.0, 3.0), "the rest of 60 is less than twice 41"


def test_what_is_taken_off_twice_is_taken_off_at_once() -> None:
    assert (
        counts("""%z = arith.muli %x, %x : KIND
                     %s = arith.addi %y, %z : KIND
                     %t = arith.subi %x, %y : KIND
                     %u = arith.subi %t, %z : KIND
                     %r = arith.muli %s, %u : KIND""")["iadd"]
        == 2.0
    )


@pytest.mark.parametrize(("start", "left"), [(0, False), (1, True)])
def test_what_begins_as_zero_and_is_multiplied_stays_zero(start: int, left: bool) -> None:
    """`SCCPSolver`: the loop inside carries nothing on, and is none."""
    text = f"""func.func @f(%a: memref<2000xi32>, %b: memref<2000xi32>) {{
      %start = arith.constant {start} : i32
      affine.for %i = 0 to 2000 {{
        %r = affine.for %j = 0 to 1000 iter_args(%x = %start) -> (i32) {{
          %y = affine.load %a[%j] : memref<2000xi32>
          %z = arith.muli %x, %y : i32
          affine.yield %z : i32
        }}
        %s = affine.load %a[%i] : memref<2000xi32>
        %t = arith.addi %r, %s : i32
        affine.store %t, %b[%i] : memref<2000xi32>
      }}
      return }}"""
    loops = FEATURIZER.parse({"mlir": text}).loops[0].walk()
    assert any(loop.chains or loop.counts[CLASS["imul"]] for loop in loops) == left


def test_what_is_carried_twice_is_carried_once() -> None:
    """Sums that are taken off again by what another value carries on: what is stored is what was loaded."""
    text = """func.func @f(%a: memref<2000xi16>, %b: memref<2000xi16>) {
      %zero = arith.constant 0 : i32
      %r:4 = affine.for %i = 0 to 2000 iter_args(%p = %zero, %q = %zero, %s = %zero, %t = %zero)
          -> (i32, i32, i32, i32) {
        %x = affine.load %a[%i] : memref<2000xi16>
        %w = arith.extsi %x : i16 to i32
        %u = arith.addi %p, %w : i32
        %v = arith.addi %q, %u : i32
        %y = arith.subi %v, %s : i32
        %z = arith.subi %y, %t : i32
        %n = arith.trunci %z : i32 to i16
        affine.store %n, %b[%i] : memref<2000xi16>
        affine.yield %u, %v, %v, %y : i32, i32, i32, i32
      }
      return }"""
    loop = FEATURIZER.parse({"mlir": text}).loops[0].children[0]
    assert {name: loop.counts[index] for name, index in CLASS.items() if loop.counts[index]} == {
        "load": 1.0,
        "store": 1.0,
    }
    assert not loop.chains
    other = text.replace("%t = %zero", "%t = %one").replace("%r:4", "%one = arith.constant 1 : i32\n      %r:4")
    assert FEATURIZER.parse({"mlir": other}).loops[0].children[0].counts[CLASS["iadd"]] > 0.0, "another beginning"


def test_loops_that_do_nothing_are_none() -> None:
    text = """func.func @f(%a: memref<2000xi32>, %b: memref<2000xi32>) {
      %zero = arith.constant 0 : i32
      affine.for %i = 0 to 2000 {
        %r = affine.for %j = 0 to 1000 iter_args(%x = %zero) -> (i32) {
          %y = affine.load %a[%j] : memref<2000xi32>
          %z = arith.addi %x, %y : i32
          affine.yield %z : i32
        }
        %s = arith.andi %r, %zero : i32
        affine.store %s, %b[%i] : memref<2000xi32>
      }
      return }"""
    assert FEATURIZER.parse({"mlir": text}).loops[0].counts[CLASS["call"]] == 1.0, "but the call that clears"


REMAINDERS = """func.func @f(%m: memref<4x100xi8>, %o: memref<100xi32>) {
  %c = arith.constant 300 : i32
  %h = affine.for %i = 0 to 100 iter_args(%k = %c) -> (i32) {
    %x = arith.remui %k, %c : i32
    %b = affine.load %m[1, %i] : memref<4x100xi8>
    %d = affine.load %m[2, %i] : memref<4x100xi8>
    %e = affine.load %m[3, %i] : memref<4x100xi8>
    %y = arith.extui %b : i8 to i32
    %z = arith.extui %d : i8 to i32
    %w = arith.extui %e : i8 to i32
    %s = arith.addi %x, %y : i32
    %r = arith.remui %s, %c : i32
    %t = arith.addi %r, %z : i32
    %u = arith.remui %t, %c : i32
    %v = arith.addi %u, %w : i32
    %q = arith.remui %v, %c : i32
    affine.yield %q : i32
  }
  affine.store %h, %o[0] : memref<100xi32>
  return }"""


def test_a_remainder_of_what_is_less_than_twice_its_number_is_below_that_number() -> None:
    """After the first, each is a choice: 2,107 cycles by LLVM's tools on M1."""
    assert estimated(REMAINDERS, "apple-m1", "est_cycles")[0] == pytest.approx(2107.5, rel=0.3)
