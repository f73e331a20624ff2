"""How often blocks are said to run, against what callgrind counts. Skipped without the tools, clang and valgrind."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from costmodel.mlir.generators import expand, sample_groups
from costmodel.mlir.labelling import missing_tools
from costmodel.mlir.labelling.assembly import parse_assembly
from costmodel.mlir.labelling.codegen import compile_batch
from costmodel.mlir.labelling.host import _count, _driver, buffers_of
from costmodel.mlir.labelling.ir import parse_ir
from costmodel.mlir.labelling.lower import lower_batch
from costmodel.mlir.labelling.scev import read_trip_counts
from costmodel.mlir.labelling.targets import cpu_target
from costmodel.mlir.labelling.weights import EXACT, block_weights

MISSING = [*missing_tools(), *(tool for tool in ("clang-22", "valgrind") if shutil.which(tool) is None)]
FAMILIES = ("matmul", "stencil", "transpose", "reduction", "convolution")
SHORT = 60_000
"""Text length; what is longer takes long to compile."""


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_exact_weights_give_the_instructions_that_callgrind_counts(tmp_path):
    programs = expand([group for family in FAMILIES for group in sample_groups(family, 1, seed=5)])
    texts = [p.text for p in programs if len(p.text) < SHORT and buffers_of(p.text)]
    cpu = cpu_target("x86-64-v3")
    code = compile_batch(lower_batch(texts, tmp_path, seconds=120), cpu, tmp_path, seconds=120)
    ir, counts = parse_ir(code.ir), read_trip_counts(code.trip_counts)
    expected = {}
    for function in parse_assembly(code.assembly, cpu):
        weights = block_weights(function, ir[function.name], counts.get(function.name, {}))
        if weights.trips == EXACT:
            runs = (weights.executions[block.label] * len(block.instructions) for block in function.blocks)
            expected[function.name] = sum(runs)
    driver = tmp_path / "driver.c"
    driver.write_text(_driver(texts)[0])
    program = str(tmp_path / "driver")
    command = ["clang-22", "-O1", "-w", "-no-pie", str(driver), str(tmp_path / "code.s"), "-lm", "-o", program]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    counted = _count(program, tmp_path, seconds=300)
    errors = sorted(abs(expected[name] / counted[name] - 1) for name in expected if name in counted)
    assert len(errors) >= 10
    assert errors[len(errors) // 2] < 0.01
    assert errors[int(0.9 * len(errors))] < 0.05
