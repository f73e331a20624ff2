"""AMD GPU kernels of programs with parallel loops: registers, spills and occupancy from llc's metadata.

Loops that carry nothing become kernels (blocks of 8 x 8 or 64 threads); sequential loops stay inside. Programs without
a parallel loop, and those whose kernels call the device library (exp, tanh), have no label.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from costmodel.mlir.labelling.lower import BUFFERS, SPLIT, TOSA, prefix
from costmodel.mlir.labelling.stablehlo import to_linalg
from costmodel.mlir.labelling.tools import ToolError, run

GPUS = ("gfx942", "gfx1100")
_TRIPLE = "-mtriple=amdgcn-amd-amdhsa"
_KERNELS = [
    "func.func(convert-linalg-to-parallel-loops,affine-parallelize)",
    "lower-affine",
    "canonicalize",
    "func.func(scf-parallel-loop-tiling{parallel-loop-tile-sizes=8,8 no-min-max-bounds=1})",
    "func.func(gpu-map-parallel-loops)",
    "convert-parallel-loops-to-gpu",
    "func.func(gpu-launch-sink-index-computations)",
    "gpu-kernel-outlining",
    "lower-affine",
]
_DEVICE = (
    "gpu.module(expand-strided-metadata,lower-affine,convert-vector-to-scf,convert-scf-to-cf,convert-vector-to-llvm,"
    "convert-gpu-to-rocdl{{chipset={gpu} use-bare-ptr-memref-call-conv=1}},canonicalize,cse)"
)
_MODULE = re.compile(r"^  gpu\.module @\w+.*?\{\n(.*?)^  \}", re.MULTILINE | re.DOTALL)
_KERNEL = re.compile(r"llvm\.func @(\w+)\(")
_OUT_SPLIT = "// ----- next program"
_FIELDS = {
    "vgprs": re.compile(r"\.vgpr_count: +(\d+)"),
    "sgprs": re.compile(r"\.sgpr_count: +(\d+)"),
    "vgpr_spills": re.compile(r"\.vgpr_spill_count: +(\d+)"),
    "sgpr_spills": re.compile(r"\.sgpr_spill_count: +(\d+)"),
}


@dataclass(frozen=True)
class GpuLabel:
    """Registers of the program's hungriest kernel, and the least occupancy of its kernels (waves per SIMD)."""

    gpu: str
    kernels: int | None = None
    vgprs: int | None = None
    sgprs: int | None = None
    vgpr_spills: int | None = None
    sgpr_spills: int | None = None
    occupancy_waves: int | None = None
    status: str = "ok"
    reason: str = ""


def label_gpu(texts: list[str], gpu: str, *, seconds: float = 60.0) -> list[GpuLabel]:
    """One label per text for one GPU (`GPUS`); texts are halved around one that a tool refuses.

    Raises
    ------
    ToolError
        A tool is not installed.
    """
    try:
        return _label_batch(texts, gpu, seconds)
    except ToolError as error:
        if "not installed" in error.reason:
            raise
        if len(texts) == 1:
            return [GpuLabel(gpu, status="failed", reason=str(error))]
    middle = len(texts) // 2
    return label_gpu(texts[:middle], gpu, seconds=seconds) + label_gpu(texts[middle:], gpu, seconds=seconds)


def _label_batch(texts: list[str], gpu: str, seconds: float) -> list[GpuLabel]:
    modules, reasons = _device_modules(texts, gpu, seconds)
    if not any(modules):
        return [GpuLabel(gpu, status="failed", reason=reason) for reason in reasons]
    with tempfile.TemporaryDirectory(prefix="mlir-gpu-") as name:
        assembly = _compile([module for module in modules if module], gpu, Path(name), seconds)
    kernels = _read_metadata(assembly)
    return [
        _sum_up(gpu, [kernel for symbol, kernel in kernels.items() if symbol.startswith(prefix(index))], reason)
        for index, reason in enumerate(reasons)
    ]


def _device_modules(texts: list[str], gpu: str, seconds: float) -> tuple[list[str], list[str]]:
    """Each text's kernels as a module of the LLVM dialect ("" without), and why there is none."""
    pipeline = ",".join([*TOSA, *BUFFERS, *_KERNELS, _DEVICE.format(gpu=gpu)])
    flags = ["--split-input-file", f"--output-split-marker={_OUT_SPLIT}", f"--pass-pipeline=builtin.module({pipeline})"]
    parts = run("mlir-opt", [*flags, "-"], stdin=SPLIT.join(map(to_linalg, texts)), seconds=seconds).split(
        _OUT_SPLIT + "\n"
    )
    if len(parts) != len(texts):
        raise ToolError("mlir-opt", f"{len(parts)} modules came out of {len(texts)} programs")
    modules, reasons = [], []
    for index, part in enumerate(parts):
        bodies = _MODULE.findall(part)
        called = "__ocml_" in part
        reasons.append("no parallel loop" if not bodies else "calls the device library" if called else "")
        modules.append("" if reasons[-1] else "module {\n" + "".join(_prefixed(bodies, index)) + "}\n")
    return modules, reasons


def _prefixed(bodies: list[str], index: int) -> list[str]:
    renamed = []
    for number, body in enumerate(bodies):
        stem = f"{prefix(index)}{number}."
        names = sorted(set(_KERNEL.findall(body)) | set(re.findall(r"llvm\.mlir\.global .*?@(\w+)\(", body)))
        for name in names:
            body = re.sub(rf"@{name}\b", f"@{stem}{name}", body)
        renamed.append(body)
    return renamed


def _compile(modules: list[str], gpu: str, folder: Path, seconds: float) -> str:
    marker = "; ----- next module"
    flags = ["--mlir-to-llvmir", "--split-input-file", f"--output-split-marker={marker}"]
    translated = run("mlir-translate", [*flags, "-"], stdin=SPLIT.join(modules), seconds=seconds)
    paths = []
    for number, part in enumerate(translated.split(marker + "\n")):
        path = folder / f"{number}.ll"
        path.write_text(part)
        paths.append(str(path))
    linked, optimised = folder / "linked.bc", folder / "o3.bc"
    run("llvm-link", [*paths, "-o", str(linked)], seconds=seconds)
    run("opt", [_TRIPLE, f"-mcpu={gpu}", "-passes=default<O3>", str(linked), "-o", str(optimised)], seconds=seconds)
    return run("llc", [_TRIPLE, f"-mcpu={gpu}", "-O3", str(optimised), "-o", "-"], seconds=seconds)


def _read_metadata(assembly: str) -> dict[str, dict[str, int]]:
    occupancy = {}
    for function in assembly.split("-- Begin function ")[1:]:
        found = re.search(r"; Occupancy: (\d+)", function)
        if found:
            occupancy[function.split(None, 1)[0]] = int(found[1])
    kernels = {}
    start = assembly.find("amdhsa.kernels:")
    for entry in re.split(r"^  - ", assembly[start:], flags=re.MULTILINE)[1:]:
        names = re.findall(r"^ {4}\.name: +'?([\w.]+)'?", entry, re.MULTILINE)
        if names:
            values = {field: int(found[1]) for field, pattern in _FIELDS.items() if (found := pattern.search(entry))}
            kernels[names[0]] = {**values, "occupancy_waves": occupancy.get(names[0], 0)}
    return kernels


def _sum_up(gpu: str, kernels: list[dict[str, int]], reason: str) -> GpuLabel:
    if not kernels:
        return GpuLabel(gpu, status="failed", reason=reason or "no kernel came out")
    vgprs, sgprs, vgpr_spills, sgpr_spills = (max(kernel[field] for kernel in kernels) for field in _FIELDS)
    waves = min(kernel["occupancy_waves"] for kernel in kernels)
    return GpuLabel(gpu, len(kernels), vgprs, sgprs, vgpr_spills, sgpr_spills, waves)
