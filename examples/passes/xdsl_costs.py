"""An xDSL pass: every function annotated with its predicted cost.

python examples/passes/xdsl_costs.py examples/passes/matmul.mlir --cpu znver4
"""

from __future__ import annotations

import argparse
from pathlib import Path

from xdsl.context import Context
from xdsl.dialects import get_all_dialects
from xdsl.parser import Parser

from costmodel.passes import CostModel
from costmodel.passes.xdsl import annotate

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("file", type=Path)
parser.add_argument("--cpu", default="znver4")
parser.add_argument("--bundle", type=Path, help="folder of a model (default: the packaged one)")
arguments = parser.parse_args()

context = Context()
for name, load in get_all_dialects().items():
    context.register_dialect(name, load)
module = Parser(context, arguments.file.read_text()).parse_module()
annotate(module, CostModel.load(arguments.cpu, bundle=arguments.bundle))
print(module)
