"""From MLIR text of any of these dialects to one LLVM bitcode module, by a fixed pipeline.

StableHLO becomes linalg (by IREE's passes); tosa and linalg on tensors are bufferised (results become out-parameters),
linalg becomes affine loops, everything ends in the LLVM dialect. Static shapes: memrefs are passed as bare pointers.
No optimisation happens here; LLVM's -O3 does it afterwards. A function's text may say ``llvm.noalias`` on its
arguments; nothing is assumed where it does not.
"""

from __future__ import annotations

import re
from pathlib import Path

from costmodel.mlir.labelling.stablehlo import to_linalg
from costmodel.mlir.labelling.tools import ToolError, run

TOSA = [
    "func.func(tosa-optional-decompositions)",
    "canonicalize",
    "func.func(tosa-make-broadcastable,tosa-to-linalg-named,canonicalize,tosa-to-linalg,"
    "tosa-to-arith{include-apply-rescale=true},tosa-to-tensor,tosa-to-scf)",
    "canonicalize",
]
BUFFERS = [
    "func.func(convert-elementwise-to-linalg)",
    "one-shot-bufferize{bufferize-function-boundaries=1 function-boundary-type-conversion=identity-layout-map}",
    "buffer-results-to-out-params{hoist-static-allocs=1 modify-public-functions=1}",
    "buffer-deallocation-pipeline",
]
_LOOPS = [
    "func.func(convert-linalg-to-affine-loops)",
    "expand-strided-metadata",
    "lower-affine",
    "convert-vector-to-scf",
    "convert-scf-to-cf",
]
_LLVM = [
    "convert-vector-to-llvm",
    "expand-strided-metadata",
    "lower-affine",
    "convert-math-to-llvm",
    "convert-math-to-libm",
    "convert-complex-to-llvm",
    "convert-index-to-llvm",
    "convert-ub-to-llvm",
    "convert-arith-to-llvm",
    "finalize-memref-to-llvm",
    "convert-func-to-llvm{use-bare-ptr-memref-call-conv=1}",
    "convert-cf-to-llvm",
    "reconcile-unrealized-casts",
    "canonicalize",
    "cse",
]
CPU_PIPELINE = f"builtin.module({','.join([*TOSA, *BUFFERS, *_LOOPS, *_LLVM])})"
"""What every program goes through before ``opt -O3``."""

SPLIT = "\n// -----\n"
_LLVM_SPLIT = "; ----- next program"
_DEFINED = re.compile(r"^define [^@\n]*@([\w.$-]+)\(", re.MULTILINE)


def prefix(index: int) -> str:
    """What the functions of program `index` of a batch are called by: programs that share a name do not collide."""
    return f"p{index}."


def lower_batch(texts: list[str], folder: Path, *, seconds: float) -> Path:
    """LLVM bitcode (in `folder`) of all programs, functions renamed by `prefix`.

    Raises
    ------
    ToolError
        Some program cannot be lowered: halve the batch to find which.
    """
    lowered = folder / "lowered.mlir"
    run(
        "mlir-opt",
        ["--split-input-file", f"--pass-pipeline={CPU_PIPELINE}", "-o", str(lowered), "-"],
        stdin=SPLIT.join(map(to_linalg, texts)),
        seconds=seconds,
    )
    translated = run(
        "mlir-translate",
        ["--mlir-to-llvmir", "--split-input-file", f"--output-split-marker={_LLVM_SPLIT}", str(lowered)],
        seconds=seconds,
    )
    return _link(translated.split(_LLVM_SPLIT + "\n"), len(texts), folder, seconds)


def _link(modules: list[str], expected: int, folder: Path, seconds: float) -> Path:
    if len(modules) != expected:
        raise ToolError("mlir-translate", f"{len(modules)} modules came out of {expected} programs")
    paths = []
    for index, module in enumerate(modules):
        path = folder / f"{index}.ll"
        path.write_text(_renamed(module, prefix(index)))
        paths.append(str(path))
    linked = folder / "linked.bc"
    run("llvm-link", [*paths, "-o", str(linked)], seconds=seconds)
    return linked


def _renamed(module: str, before: str) -> str:
    names = set(_DEFINED.findall(module))
    if not names:
        raise ToolError("mlir-translate", "the program has no function with a body")
    pattern = re.compile("@(" + "|".join(sorted(map(re.escape, names), key=len, reverse=True)) + r")(?![\w.$-])")
    return pattern.sub(lambda found: f"@{before}{found[1]}", module)
