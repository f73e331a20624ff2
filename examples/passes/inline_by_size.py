"""LLVM's inliner, each call decided by the predicted growth of the code; an unmodified opt-22 asks.

python examples/passes/inline_by_size.py examples/passes/program.ll /tmp/inlined.ll
"""

from __future__ import annotations

import argparse
from pathlib import Path

from costmodel.passes.inliner import by_size, optimise, predicted_growth_bytes

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("file", type=Path)
parser.add_argument("output", type=Path)
parser.add_argument("--budget-bytes", type=int, default=0)
arguments = parser.parse_args()

advice = optimise(arguments.file, arguments.output, by_size(arguments.budget_bytes))
for site, inlined in advice.decisions:
    print(f"{predicted_growth_bytes(site):+6d} bytes: {'inlined' if inlined else 'left as a call'}")
