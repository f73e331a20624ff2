"""Passes for MLIR's Python bindings: what is chosen, what stays equal, what is never done."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import pytest

from costmodel.mlir.generators import TEST_UNSEEN
from costmodel.passes import CostModel
from costmodel.passes.mlir import AS_IT_IS, ATTRIBUTE, SPACE, Choice, CostAnnotator, LoopTuner
from costmodel.passes.mlir.loops import alone, may_jam, may_tile, nests_of
from costmodel.passes.mlir.nests import for_training, held_out
from costmodel.passes.mlir.space import choices
from costmodel.passes.mlir.tuner import functions_of, variants
from tests.costmodel.passes.conftest import MATMUL

ir = pytest.importorskip("iree.compiler.ir", reason="MLIR's Python bindings are in iree-base-compiler")
passmanager = pytest.importorskip("iree.compiler.passmanager")

TWO = """
func.func @two(%a: memref<64xf32>, %b: memref<64xf32>, %n: index) -> f32 {
  %one = arith.constant 1.0 : f32
  affine.for %i = 0 to 64 {
    %x = affine.load %a[%i] : memref<64xf32>
    %y = arith.addf %x, %one : f32
    affine.store %y, %b[%i] : memref<64xf32>
  }
  %sum = affine.for %i = 0 to 64 iter_args(%acc = %one) -> (f32) {
    %x = affine.load %b[%i] : memref<64xf32>
    %y = arith.addf %acc, %x : f32
    affine.yield %y : f32
  }
  return %sum : f32
}
"""
IN_PLACE = """
func.func @in_place(%a: memref<64x64xf32>) {
  affine.for %i = 1 to 64 {
    affine.for %j = 0 to 64 {
      %x = affine.load %a[%i - 1, %j] : memref<64x64xf32>
      affine.store %x, %a[%i, %j] : memref<64x64xf32>
    }
  }
  return
}
"""
TRANSPOSED_STORE = """
func.func @sum(%a: memref<64x64xf32>, %b: memref<64xf32>) {
  affine.for %i = 0 to 64 {
    affine.for %j = 0 to 64 {
      %x = affine.load %a[%i, %j] : memref<64x64xf32>
      %y = affine.load %b[%j] : memref<64xf32>
      %z = arith.addf %x, %y : f32
      affine.store %z, %b[%j] : memref<64xf32>
    }
  }
  return
}
"""


def parse(text: str) -> Any:
    with ir.Context():
        return ir.Module.parse(text)


def first_nest(module: Any) -> Any:
    return nests_of(functions_of(module)[0])[0]


class Longest:
    """Costs that prefer one of the variants: the one with most text."""

    def of_modules(self, modules: Sequence[Any]) -> list[float]:
        return [1e6 / len(str(module)) for module in modules]


def test_the_pass_runs_in_a_pass_manager_and_the_module_stays_valid() -> None:
    module = parse(MATMUL)
    tuner = LoopTuner(Longest())
    with module.context:
        manager = passmanager.PassManager.parse("builtin.module()")
        manager.add(tuner)
        manager.run(module.operation)
    assert module.operation.verify()
    assert len(tuner.decisions) == 1
    assert tuner.decisions[0].choice == Choice(jam=4, unroll=2)
    assert "step 4" in str(module)
    assert f"{ATTRIBUTE} = " in str(module)
    assert "llvm.noalias" in str(module)


def test_every_nest_is_decided_and_values_that_loops_return_stay_connected() -> None:
    module = parse(TWO)
    tuner = LoopTuner(Longest(), space=(AS_IT_IS, Choice(unroll=4)))
    tuner(module)
    assert module.operation.verify()
    assert [decision.choice.unroll for decision in tuner.decisions] == [4, 4]
    assert str(module).count("step 4") == 2


def test_within_the_margin_nothing_is_touched() -> None:
    class Alike:
        def of_modules(self, modules: Sequence[Any]) -> list[float]:
            return [100.0 - i / 100 for i in range(len(modules))]

    module, before = parse(MATMUL), str(parse(MATMUL))
    LoopTuner(Alike())(module)
    loop = first_nest(module)
    del loop.attributes[ATTRIBUTE]
    assert str(module) == before


def test_unroll_and_jam_is_offered_only_where_iterations_may_interleave() -> None:
    assert may_jam(first_nest(parse(MATMUL)))
    assert not may_jam(first_nest(parse(IN_PLACE)))
    assert not may_jam(first_nest(parse(TRANSPOSED_STORE)))
    assert not may_jam(first_nest(parse(TWO)))
    assert all(choice.jam == 1 for choice in choices(tiles=True, jams=False))
    assert all(choice.tile == 0 for choice in choices(tiles=False, jams=False))


@pytest.mark.parametrize(
    ("read", "legal"),
    [
        ("%a[%i - 1, %j]", True),
        ("%a[%i - 1, %j - 1]", True),
        ("%a[%i, %j]", True),
        ("%a[%i - 1, %j + 1]", False),  # the tile before would need what the next one makes
        ("%a[%i + 1, %j - 1]", False),
        ("%a[%j, %i]", False),
        ("%a[%i - 1, 5]", False),
        ("%b[%j, %i]", True),
    ],
)
def test_tiles_are_offered_only_where_nothing_is_needed_from_a_later_one(read: str, legal: bool) -> None:
    text = f"""
func.func @f(%a: memref<64x64xf32>, %b: memref<64x64xf32>) {{
  affine.for %i = 1 to 63 {{
    affine.for %j = 1 to 63 {{
      %x = affine.load {read} : memref<64x64xf32>
      affine.store %x, %a[%i, %j] : memref<64x64xf32>
    }}
  }}
  return
}}"""
    module = parse(text)
    nest = first_nest(module)
    assert may_tile(nest) == legal
    found = variants(alone(nest), choices(may_tile(nest), may_jam(nest)))
    assert any(choice.tile for choice in found) == legal


@pytest.mark.parametrize(
    "unseen",
    ["linalg.fill ins(%x : f32) outs(%a : memref<64x64xf32>)", "func.call @other(%a) : (memref<64x64xf32>) -> ()"],
)
def test_what_reaches_memory_otherwise_stops_tiles_and_jamming(unseen: str) -> None:
    text = f"""
func.func private @other(memref<64x64xf32>)
func.func @f(%a: memref<64x64xf32>, %b: memref<64x64xf32>) {{
  affine.for %i = 0 to 64 {{
    affine.for %j = 0 to 64 {{
      %x = affine.load %a[%i, %j] : memref<64x64xf32>
      affine.store %x, %b[%i, %j] : memref<64x64xf32>
      {unseen}
    }}
  }}
  return
}}"""
    seen, hidden = parse(text.replace(unseen, "")), parse(text)
    assert may_tile(first_nest(seen))
    assert may_jam(first_nest(seen))
    assert not may_tile(first_nest(hidden))
    assert not may_jam(first_nest(hidden))


def test_a_sum_over_two_loops_into_memory_is_not_tiled_for_its_order_would_change() -> None:
    text = """
func.func @f(%a: memref<64x64x64xf32>, %b: memref<64xf32>) {
  affine.for %i = 0 to 64 {
    affine.for %j = 0 to 64 {
      affine.for %k = 0 to 64 {
        %x = affine.load %a[%i, %j, %k] : memref<64x64x64xf32>
        %y = affine.load %b[%i] : memref<64xf32>
        %z = arith.addf %x, %y : f32
        affine.store %z, %b[%i] : memref<64xf32>
      }
    }
  }
  return
}"""
    module = parse(text)
    assert not may_tile(first_nest(module))
    one = parse(text.replace("%b[%i]", "%c[%i, %j]").replace("%b: memref<64xf32>", "%c: memref<64x64xf32>").replace(": memref<64xf32>", ": memref<64x64xf32>"))  # fmt: skip # noqa: E501
    assert may_tile(first_nest(one))


def test_no_variant_goes_on_from_the_wrong_one_of_several_values() -> None:
    # Behind an unrolled loop with iterations left over MLIR takes the last value for all: a sum would be a product.
    text = """
func.func @f(%a: memref<LENxf32>) -> (f32, f32) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %r:2 = affine.for %i = 0 to LEN iter_args(%s = %zero, %p = %one) -> (f32, f32) {
    %x = affine.load %a[%i] : memref<LENxf32>
    %s1 = arith.addf %s, %x : f32
    %p1 = arith.mulf %p, %x : f32
    affine.yield %s1, %p1 : f32, f32
  }
  return %r#0, %r#1 : f32, f32
}"""

    def factors(text: str) -> list[int]:
        module = parse(text)
        nest = first_nest(module)
        return [choice.unroll for choice in variants(alone(nest), choices(may_tile(nest), may_jam(nest)))]

    assert factors(text.replace("LEN", "164")) == [1, 2, 4]
    assert factors(text.replace("LEN", "162")) == [1, 2]
    assert factors(text.replace("LEN", "161")) == [1]
    # Jamming makes four sums of one: of 63 terms none may be unrolled behind it.
    module = parse(MATMUL.replace("96", "63"))
    jammed = alone(first_nest(module))
    assert jammed.changed_by(Choice(jam=4).pipeline, 2) is None
    assert jammed.changed_by(Choice(jam=4).pipeline) is not None
    assert jammed.changed_by("", 2) is not None


def test_variants_are_different_code_and_the_original_is_not_touched() -> None:
    module = parse(MATMUL)
    before = str(module)
    nest = first_nest(module)
    found = variants(alone(nest), choices(may_tile(nest), may_jam(nest)))
    assert str(module) == before
    assert len({str(variant) for variant in found.values()}) == len(found) > 7
    assert "arith.constant 0.0" in str(found[AS_IT_IS])
    assert all(variant.verify() for variant in found.values())


def test_loops_get_their_predicted_cost(estimate: CostModel) -> None:
    module = parse(TWO)
    CostAnnotator(estimate)(module)
    costs = [ir.FloatAttr(nest.attributes[ATTRIBUTE]).value for nest in nests_of(functions_of(module)[0])]
    assert len(costs) == 2
    assert all(cost > 4 for cost in costs)  # the first is four vectors of sixteen


def test_the_estimate_finds_that_jamming_saves_loads(estimate: CostModel) -> None:
    module = parse(MATMUL)
    tuner = LoopTuner(estimate)
    tuner(module)
    decision = tuner.decisions[0]
    assert decision.predicted[decision.choice] <= min(decision.predicted.values()) * 1.12
    assert module.operation.verify()


def test_choices_read_as_what_they_do() -> None:
    assert [str(choice) for choice in SPACE[:3]] == ["as it is", "tile default", "tile 32"]
    assert (
        Choice(tile=16, jam=2).pipeline == "affine-loop-tile{tile-size=16},affine-loop-unroll-jam{unroll-jam-factor=2}"
    )
    assert str(Choice(jam=2, unroll=4)) == "jam 2, unroll 4"


@pytest.mark.skipif(shutil.which("mlir-opt-22") is None, reason="needs Debian's mlir-22-tools")
def test_nests_to_train_on_come_in_several_ways_and_are_none_of_those_held_out() -> None:
    programs = list(for_training(2, seed=7))
    by_group: dict[str, set[str]] = {}
    for program in programs:
        by_group.setdefault(program.group, set()).add(program.variant)
    assert all('{"choice":"as it is"}' in variants for variants in by_group.values())
    assert sum(len(variants) > 3 for variants in by_group.values()) > len(by_group) / 2
    assert not {program.family for program in programs} & set(TEST_UNSEEN)
    assert not {program.group.split("/")[1] for program in programs} & {nest.name.split(":")[1] for nest in held_out(8)}


def test_tuned_text_is_read_by_mlir_opt() -> None:
    import subprocess

    module = parse(MATMUL)
    LoopTuner(Longest())(module)
    done = subprocess.run(["mlir-opt-22", "-"], input=str(module), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
