"""Loops that count bits are one instruction. Instructions are those of LLVM 22's tools (`llc -O3`)."""

from __future__ import annotations

import pytest

from tests.featurizers.mlir.generated import estimated

NAMES = ("est_instructions", "est_cycles", "est_loops_left", "est_vector_loops")
ONES = """
      %d = arith.subi %a, %one : i64
      %e = arith.andi %a, %d : i64"""


def _loop(step: str, first: str = "%z", count: str = "i64") -> str:
    return f"""
    %r:2 = scf.while (%a = %x, %b = {first}) : (i64, {count}) -> (i64, {count}) {{
      %c = arith.cmpi ne, %a, %zero : i64
      scf.condition(%c) %a, %b : i64, {count}
    }} do {{
    ^bb0(%a: i64, %b: {count}):{step}
      %g = arith.addi %b, %more : {count}
      scf.yield %e, %g : i64, {count}
    }}"""


def _constants(count: str = "i64") -> str:
    return f"""
  %zero = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %z = arith.constant 0 : {count}
  %more = arith.constant 1 : {count}"""


def _function(step: str, first: str = "%z", count: str = "i64") -> str:
    loop = _constants(count) + _loop(step, first, count)
    return f"func.func @f(%x: i64, %k: {count}) -> {count} {{{loop}\n  return %r#1 : {count}\n}}"


ARRAY = f"""func.func @f(%m: memref<256xi64>, %o: memref<256xi64>) {{
  affine.for %i = 0 to 256 {{{_constants()}
    %x = affine.load %m[%i] : memref<256xi64>{_loop(ONES)}
    affine.store %r#1, %o[%i] : memref<256xi64>
  }}
  return
}}"""


def _estimate(text: str, cpu: str) -> dict[str, float]:
    return dict(zip(NAMES, estimated(text, cpu, *NAMES), strict=True))


def _shift(op: str) -> str:
    return f"\n      %e = arith.{op} %a, %one : i64"


@pytest.mark.parametrize(
    ("step", "cpu", "instructions"),
    [
        (ONES, "skylake-avx512", 2),
        (ONES, "cortex-a55", 5),
        (ONES, "sifive-p670", 2),
        (_shift("shrui"), "skylake-avx512", 6),
        (_shift("shrui"), "cortex-a55", 6),
        (_shift("shli"), "cortex-a55", 7),
    ],
)
def test_a_loop_that_counts_bits_is_no_loop(step: str, cpu: str, instructions: int) -> None:
    found = _estimate(_function(step), cpu)
    assert found["est_loops_left"] == 0
    assert found["est_instructions"] == pytest.approx(instructions, abs=1.1)


@pytest.mark.parametrize("step", [_shift("shrsi"), ONES.replace("%a, %one", "%one, %a"), ONES.replace("andi", "ori")])
def test_what_is_no_count_of_bits_stays_a_loop(step: str) -> None:
    assert _estimate(_function(step), "cortex-a55")["est_loops_left"] == 1


@pytest.mark.parametrize("count", ["i32", "index"])
@pytest.mark.parametrize("first", ["%z", "%k"])
def test_the_count_may_be_of_another_type_and_begin_anywhere(count: str, first: str) -> None:
    for step in (ONES, _shift("shli")):
        assert _estimate(_function(step, first, count), "skylake-avx512")["est_loops_left"] == 0


def test_the_loop_around_is_vectorised() -> None:
    found = _estimate(ARRAY, "neoverse-v1")
    assert found["est_vector_loops"] == 1
    assert found["est_cycles"] < 256
