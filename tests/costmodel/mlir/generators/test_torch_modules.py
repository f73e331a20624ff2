"""Programs through torch-mlir's fx importer. Skipped where it is not installed."""

from __future__ import annotations

import random

import pytest

from costmodel.mlir.generators import expand, sample_groups
from costmodel.mlir.generators.torch_modules import _MODULES
from costmodel.mlir.generators.torch_parts import imported
from costmodel.mlir.labelling import label
from tests.costmodel.mlir.generators.torch_import import (
    assert_one_function_each,
    assert_refused_without_importer,
    needs_importer,
    needs_no_importer,
    needs_tools,
)

pytestmark = [pytest.mark.filterwarnings("ignore::FutureWarning"), pytest.mark.filterwarnings("ignore::UserWarning")]


@needs_no_importer
def test_without_the_importer_the_family_is_refused_and_says_what_to_install():
    assert_refused_without_importer("torch_graph")


@needs_importer
@pytest.mark.parametrize("draw", _MODULES)
def test_every_kind_of_module_is_imported_without_constants_of_its_weights(draw):
    drawn = draw(random.Random(2), "f32")
    texts = imported(drawn)
    assert {"linalg-on-tensors", "stablehlo"} <= set(texts)
    assert_one_function_each(texts)


@needs_importer
@needs_tools
def test_a_group_is_one_module_as_linalg_tosa_and_stablehlo_and_all_are_labelled():
    programs = expand(sample_groups("torch_graph", 2, seed=4))
    assert {program.family for program in programs} == {"torch_graph"}
    levels = {program.variant for program in programs}
    assert {"", '{"level":"tosa"}', '{"level":"stablehlo"}'} <= levels
    assert {row.status for row in label([program.text for program in programs], ["znver4"])} == {"ok"}
