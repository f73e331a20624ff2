"""Programs through torch-mlir's fx importer. Skipped where it is not installed."""

from __future__ import annotations

import random

import pytest

from costmodel.mlir.generators import expand, sample_groups
from costmodel.mlir.generators.torch_modules import _MODULES
from costmodel.mlir.generators.torch_parts import TORCH_MLIR, imported, importer_version
from costmodel.mlir.labelling import ToolError, label, missing_tools

has_importer = importer_version() == TORCH_MLIR
needs_importer = pytest.mark.skipif(not has_importer, reason=f"torch-mlir {TORCH_MLIR} is not installed")
needs_tools = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")
pytestmark = [pytest.mark.filterwarnings("ignore::FutureWarning"), pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.mark.skipif(has_importer, reason="torch-mlir is installed")
def test_without_the_importer_the_family_is_refused_and_says_what_to_install():
    with pytest.raises(ToolError, match=f"pip install torch-mlir=={TORCH_MLIR}"):
        sample_groups("torch_graph", 1, 0)


@needs_importer
@pytest.mark.parametrize("draw", _MODULES)
def test_every_kind_of_module_is_imported_without_constants_of_its_weights(draw):
    drawn = draw(random.Random(2), "f32")
    texts = imported(drawn)
    assert {"linalg-on-tensors", "stablehlo"} <= set(texts)
    for text in texts.values():
        assert "dense_resource" not in text
        assert len(text) < 60_000
        assert text.count("func.func") == 1


@needs_importer
@needs_tools
def test_a_group_is_one_module_as_linalg_tosa_and_stablehlo_and_all_are_labelled():
    programs = expand(sample_groups("torch_graph", 2, seed=4))
    assert {program.family for program in programs} == {"torch_graph"}
    levels = {program.variant for program in programs}
    assert {"", '{"level":"tosa"}', '{"level":"stablehlo"}'} <= levels
    assert {row.status for row in label([program.text for program in programs], ["znver4"])} == {"ok"}
