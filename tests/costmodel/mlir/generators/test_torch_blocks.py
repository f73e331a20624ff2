"""Blocks of networks through torch-mlir's fx importer. Skipped where it is not installed."""

from __future__ import annotations

import random

import pytest

from costmodel.mlir.generators import expand, sample_groups
from costmodel.mlir.generators.torch_blocks import _BLOCKS
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
    assert_refused_without_importer("torch_block")


@pytest.mark.parametrize("draw", _BLOCKS)
def test_a_seed_says_which_block_and_another_seed_another(draw):
    first, again = draw(random.Random(5), "f32"), draw(random.Random(5), "f32")
    assert (first.key, first.arguments) == (again.key, again.arguments)
    assert len({draw(random.Random(seed), "f32").key for seed in range(12)}) > 6


@needs_importer
@pytest.mark.parametrize("draw", _BLOCKS)
@pytest.mark.parametrize("seed", [2, 3])
def test_every_kind_of_block_is_imported_without_constants_of_its_weights(draw, seed):
    texts = imported(draw(random.Random(seed), "f32"))
    assert "linalg-on-tensors" in texts
    assert len(texts) >= 2
    assert_one_function_each(texts)


@needs_importer
@needs_tools
def test_groups_of_blocks_are_labelled_in_every_dialect():
    programs = expand(sample_groups("torch_block", 2, seed=7))
    assert {program.family for program in programs} == {"torch_block"}
    assert {row.status for row in label([program.text for program in programs], ["znver4"])} == {"ok"}
