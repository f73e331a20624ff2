"""`mlir-speed`: which programs count as of a size, and that a prediction is timed beside the parser."""

from __future__ import annotations

from costmodel.benchmarks.mlir_speed import in_process, of_sizes, operations
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED


def _adds(count: int) -> str:
    lines = "\n".join(f"  %{i} = arith.addf %a, %a : f32" for i in range(count))
    return f"func.func @f(%a: f32) -> f32 {{\n{lines}\n  return %{count - 1} : f32\n}}\n"


def test_operations_are_counted_as_written() -> None:
    assert operations(_adds(5)) == 8  # a module, a function, five sums, a return


def test_what_this_parser_refuses_has_no_operations() -> None:
    assert operations("func.func @f(") == 0


def test_programs_are_sorted_by_size() -> None:
    found = of_sizes([_adds(count) for count in (1, 8, 49, 120, 196)])
    assert {size: [text.count("addf") for text in texts] for size, texts in found.items()} == {
        10: [8], 50: [49], 200: [196], 1000: [],
    }  # fmt: skip


def test_a_prediction_takes_longer_than_the_parser_and_refused_programs_do_not_count() -> None:
    row = in_process(Predictor.load(PRETRAINED / "mlir"), [_adds(8), "func.func @f("], "znver4")
    assert row["programs"] == 1
    assert row["predict_over_parse"] > 1
    assert row["predict_us"] / row["parse_us"] == row["predict_over_parse"]
