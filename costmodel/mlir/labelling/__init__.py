"""Labels of MLIR programs by the real tools: Debian's ``mlir-22-tools`` and ``llvm-22``.

One call does it all, in batches of programs that go through the tools as one module (about a fifth of the time of one
at a time, and equal labels)::

    from costmodel.mlir.labelling import label

    rows = label(texts, cpus=["znver4", "cortex-a55"])     # one `Label` per text and CPU, texts in order, CPUs in order
    rows[0].cycles, rows[0].instructions, rows[0].status

A text that the tools refuse costs only itself: its rows carry ``status`` and ``reason``. ``gpu.label_gpu`` gives
registers and occupancy on AMD GPUs, ``host.measure`` counts and times programs on this machine.
"""

from costmodel.mlir.labelling.api import label, label_batch
from costmodel.mlir.labelling.lower import CPU_PIPELINE
from costmodel.mlir.labelling.rows import Label
from costmodel.mlir.labelling.targets import CPUS, CpuTarget
from costmodel.mlir.labelling.tools import ToolError, missing_tools, tool_versions

__all__ = [
    "CPUS",
    "CPU_PIPELINE",
    "CpuTarget",
    "Label",
    "ToolError",
    "label",
    "label_batch",
    "missing_tools",
    "tool_versions",
]
