"""What any compiler does first, done by MLIR's own passes in C++: folding, dead code, common subexpressions, hoisting.

What is removed anyway is then in no column, and variants that differ in nothing else have the same ones.
"""

from __future__ import annotations

from typing import Any

PIPELINE = "any(canonicalize{max-iterations=3 top-down=false region-simplify=disabled},cse,loop-invariant-code-motion)"
"""Bottom up and without merging blocks, which takes a quarter less time than canonicalisation's defaults and came to
another program for 1 of 3,472."""


class Simplifier:
    """The pipeline in one context. Not thread-safe."""

    def __init__(self, context: Any):
        from iree.compiler import passmanager

        self._manager = passmanager.PassManager.parse(PIPELINE, context)
        self._manager.enable_verifier(False)

    def run(self, operation: Any) -> None:
        """Simplify in place; what the passes refuse stays as it is where they stopped."""
        from iree.compiler import ir

        try:
            self._manager.run(operation)
        except ir.MLIRError:
            return
