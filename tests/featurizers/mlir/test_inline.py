"""Calls between functions of one module: what LLVM inlines is part of what calls it."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer
from featurizers.mlir.bindings import Parser

pytest.importorskip("iree.compiler")

RELU = """
func.func private @relu(%x: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %c = stablehlo.constant dense<0.0> : tensor<8x16xf32>
  %r = stablehlo.maximum %x, %c : tensor<8x16xf32>
  return %r : tensor<8x16xf32>
}
func.func @main(%a: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %0 = call @relu(%a) : (tensor<8x16xf32>) -> tensor<8x16xf32>
  %1 = stablehlo.add %0, %a : tensor<8x16xf32>
  %2 = call @relu(%1) : (tensor<8x16xf32>) -> tensor<8x16xf32>
  return %2 : tensor<8x16xf32>
}
"""
BY_HAND = """
func.func @main(%a: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %c = stablehlo.constant dense<0.0> : tensor<8x16xf32>
  %0 = stablehlo.maximum %a, %c : tensor<8x16xf32>
  %1 = stablehlo.add %0, %a : tensor<8x16xf32>
  %2 = stablehlo.maximum %1, %c : tensor<8x16xf32>
  return %2 : tensor<8x16xf32>
}
"""
SQUARE = "func.func VISIBILITY @square(%x: f32) -> f32 { %y = arith.mulf %x, %x : f32 return %y : f32 }\n"
LOOP = """
func.func @loop(%m: memref<64xf32>) {
  affine.for %i = 0 to 64 {
    %v = affine.load %m[%i] : memref<64xf32>
    %w = func.call @square(%v) : (f32) -> f32
    affine.store %w, %m[%i] : memref<64xf32>
  }
  return
}
"""
featurizer = MlirFeaturizer(in_process=True)


def functions(text: str, **options: str) -> list[str]:
    return [function.name for function in featurizer.parse({"mlir": text, **options}).functions]


def long(operations: int, visibility: str) -> str:
    body = "".join(f"%{i + 1} = arith.mulf %{i}, %a : f32\n" for i in range(operations))
    first = "%0 = arith.addf %a, %a : f32\n"
    return f"func.func {visibility} @long(%a: f32) -> f32 {{ {first}{body} return %{operations} : f32 }}\n"


def caller(times: int) -> str:
    calls = "".join(f"%{i + 1} = func.call @long(%{i}) : (f32) -> f32\n" for i in range(times))
    return f"func.func @f(%a: f32) -> f32 {{ %0 = arith.negf %a : f32\n{calls} return %{times} : f32 }}\n"


def test_what_front_ends_keep_apart_costs_what_it_costs_written_out() -> None:
    apart, by_hand = (
        featurizer.features([featurizer.parse({"mlir": text})], profile="znver4") for text in (RELU, BY_HAND)
    )
    assert apart.vectors.tolist() == by_hand.vectors.tolist()


@pytest.mark.parametrize(("visibility", "left"), [("private", ["loop"]), ("", ["square", "loop"])])
def test_a_function_that_others_may_call_is_there_beside_what_it_was_inlined_into(
    visibility: str, left: list[str]
) -> None:
    program = featurizer.parse({"mlir": SQUARE.replace("VISIBILITY", visibility) + LOOP})
    assert [function.name for function in program.functions] == left
    assert not any(function.calls for function in program.functions)
    assert len(program.pieces()) == (2 if len(left) == 2 else 0), "they do not depend on one another any more"


@pytest.mark.parametrize(("length", "visibility", "times", "becomes_part"), [
    (20, "private", 3, True), (90, "private", 3, False), (90, "private", 1, True), (90, "", 1, False),
])  # fmt: skip
def test_a_long_function_is_inlined_where_nobody_else_calls_it(
    length: int, visibility: str, times: int, becomes_part: bool
) -> None:
    assert ("long" not in functions(long(length, visibility) + caller(times))) == becomes_part


def test_a_function_that_is_asked_about_stays_and_one_that_calls_itself_is_called() -> None:
    assert functions(RELU, function="relu") == ["relu"]
    assert functions(RELU, function="main") == ["main"]
    endless = "func.func @f(%x: f32) -> f32 { %y = func.call @f(%x) : (f32) -> f32 return %y : f32 }"
    assert functions(endless) == ["f"]
    pair = endless.replace("func.call @f", "func.call @g") + endless.replace("@f(%x: f32)", "@g(%x: f32)")
    assert functions(pair) == ["f", "g"]


def test_calls_that_double_at_every_level_end_at_the_threshold() -> None:
    called = "{result} = func.call @f{level}({value}) : (f32) -> f32"
    text = "func.func @f0(%x: f32) -> f32 { %y = arith.mulf %x, %x : f32 return %y : f32 }\n"
    for level in range(40):
        calls = [called.format(result=r, value=v, level=level) for r, v in (("%y", "%x"), ("%z", "%y"))]
        text += f"func.func @f{level + 1}(%x: f32) -> f32 {{\n" + "\n".join(calls) + "\nreturn %z : f32 }\n"
    assert Parser().parse(text).size < 40 * 60


def test_declarations_stay_calls() -> None:
    call = "%y = func.call @outside(%x) : (f32) -> f32"
    text = f"func.func private @outside(f32) -> f32\nfunc.func @f(%x: f32) -> f32 {{ {call} return %y : f32 }}\n"
    for others in ("", SQUARE.replace("VISIBILITY", "private") + LOOP):
        function = featurizer.parse({"mlir": text + others}).functions[0]
        assert (function.name, function.calls) == ("f", [("outside", 1.0)])
