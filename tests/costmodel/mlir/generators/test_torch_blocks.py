"""Blocks of networks through torch-mlir's fx importer. Skipped where it is not installed."""

from __future__ import annotations

import random

import pytest

from costmodel.mlir.generators import expand, sample_groups
from costmodel.mlir.generators.torch_blocks import _BLOCKS
from costmodel.mlir.generators.torch_parts import TORCH_MLIR, imported, importer_version
from costmodel.mlir.labelling import ToolError, label, missing_tools

has_importer = importer_version() == TORCH_MLIR
needs_importer = pytest.mark.skipif(not has_importer, reason=f"torch-mlir {TORCH_MLIR} is not installed")
needs_tools = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")
pytestmark = [pytest.mark.filterwarnings("ignore::FutureWarning"), pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.mark.skipif(has_importer, reason="torch-mlir is installed")
def test_without_the_importer_the_family_is_refused_and_says_what_to_install():
    with pytest.raises(ToolError, match=f"pip install torch-mlir=={TORCH_MLIR}"):
        sample_groups("torch_block", 1, 0)


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
    for text in texts.values():
        assert "dense_resource" not in text
        assert len(text) < 60_000
        assert text.count("func.func") == 1


@needs_importer
@needs_tools
def test_groups_of_blocks_are_labelled_in_every_dialect():
    programs = expand(sample_groups("torch_block", 2, seed=7))
    assert {program.family for program in programs} == {"torch_block"}
    assert {row.status for row in label([program.text for program in programs], ["znver4"])} == {"ok"}
