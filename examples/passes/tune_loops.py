"""A pass in MLIR's Python bindings: each loop nest tiled and unrolled as it is predicted to run fastest.

python examples/passes/tune_loops.py examples/passes/matmul.mlir --cpu znver4
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from iree.compiler import ir, passmanager

from costmodel.passes import CostModel
from costmodel.passes.mlir import LoopTuner

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("file", type=Path)
parser.add_argument("--cpu", default="znver4")
parser.add_argument("--bundle", type=Path, help="folder of a model (default: the packaged one)")
arguments = parser.parse_args()

tuner = LoopTuner(CostModel.load(arguments.cpu, "cycles", bundle=arguments.bundle))
with ir.Context():
    module = ir.Module.parse(arguments.file.read_text())
    manager = passmanager.PassManager.parse("builtin.module()")
    manager.add(tuner)
    manager.run(module.operation)
print(module)
for decision in tuner.decisions:
    for choice, cycles in sorted(decision.predicted.items(), key=lambda pair: pair[1]):
        chosen = "  <- chosen" if choice == decision.choice else ""
        print(f"{cycles:12.0f} cycles  {choice}{chosen}", file=sys.stderr)
