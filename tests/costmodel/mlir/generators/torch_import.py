"""What the tests of torch-mlir's fx importer share: when they are skipped, and what each imported text is."""

from __future__ import annotations

import pytest

from costmodel.mlir.generators import sample_groups
from costmodel.mlir.generators.torch_parts import TORCH_MLIR, importer_version
from costmodel.mlir.labelling import ToolError, missing_tools

has_importer = importer_version() == TORCH_MLIR
needs_importer = pytest.mark.skipif(not has_importer, reason=f"torch-mlir {TORCH_MLIR} is not installed")
needs_no_importer = pytest.mark.skipif(has_importer, reason="torch-mlir is installed")
needs_tools = pytest.mark.skipif(bool(missing_tools()), reason=f"not installed: {', '.join(missing_tools())}")


def assert_refused_without_importer(family: str) -> None:
    """The refusal says what to install."""
    with pytest.raises(ToolError, match=f"pip install torch-mlir=={TORCH_MLIR}"):
        sample_groups(family, 1, 0)


def assert_one_function_each(texts: dict[str, str]) -> None:
    """By level one program, of a size that is labelled, with no weights written out."""
    for text in texts.values():
        assert "dense_resource" not in text
        assert len(text) < 60_000
        assert text.count("func.func") == 1
