"""The second compiler, IREE's ``llvm-cpu`` for this host: executed instructions and time of programs on tensors.

Programs go through ``iree-compile`` many at a time, as functions of one module, and are called through IREE's runtime
on one thread. Counted are the instructions of the code that IREE generated (callgrind sees them as code that belongs
to no file): its runtime, which costs some forty thousand instructions per call whatever the program is, is not counted,
nor are the fills and copies that the compiler leaves to it. Times are of a whole call, the runtime's eight microseconds
included. Data as in `costmodel.mlir.labelling.host`.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from costmodel.mlir.labelling.host import HostLabel, host_name
from costmodel.mlir.labelling.stablehlo import is_stablehlo
from costmodel.mlir.labelling.tools import ToolError, first_error, limited
from featurizers.mlir.older import readable

VERSION = "3.13"
COMPILER = f"iree-llvm-cpu-{VERSION}"
BATCH = 64
INSTALL = "pip install iree-base-compiler==3.13.0 iree-base-runtime==3.13.0; apt-get install clang-22 valgrind"
FLAGS = (
    "--iree-hal-target-device=local",
    "--iree-hal-local-target-device-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
    "--iree-input-demote-f64-to-f32=false",
)
_KINDS = ("f16", "f32", "f64", "i8", "i16", "i32", "i64")
_DOUBLES = re.compile(r"tensor<(?:\d+x)*f64>")
_NO_DOUBLES = re.compile(r"\b(?:math|chlo|tosa)\.|\bstablehlo\.(?:exp|tanh|logistic|log|cosine|sine|power|rsqrt)")
_REQUESTS = """
#include <valgrind/callgrind.h>
void start(void) { CALLGRIND_START_INSTRUMENTATION; }
void stop(const char *name) { CALLGRIND_DUMP_STATS_AT(name); CALLGRIND_STOP_INSTRUMENTATION; }
"""

Signature = list[tuple[list[int], str]]
"""Shape and element type of each argument."""


def missing() -> list[str]:
    """What labelling by IREE needs and this environment lacks."""
    packages = [f"{name} {VERSION}" for name in ("iree-base-compiler", "iree-base-runtime") if not _installed(name)]
    return [*packages, *(tool for tool in ("clang-22", "valgrind") if shutil.which(tool) is None)]


def _installed(package: str) -> bool:
    try:
        return version(package).startswith(f"{VERSION}.")
    except PackageNotFoundError:
        return False


def takes(text: str) -> bool:
    """Whether this is a program for IREE: a function of tensors. Those of buffers are past what it decides first.

    Functions of doubles that call the mathematical library are left out (its linker has no exponential or hyperbolic
    tangent of them), and those of tosa, whose profiles know no doubles: one such fails a batch.
    """
    if "tensor<" not in text or "memref" in text:
        return False
    return _DOUBLES.search(text) is None or _NO_DOUBLES.search(text) is None


def measure_iree(texts: list[str], *, seconds: float = 300.0) -> list[HostLabel]:
    """One label per text; a batch that does not compile or crashes is halved, StableHLO goes apart from tosa.

    Raises
    ------
    ToolError
        IREE's compiler or runtime, clang or valgrind is not installed.
    """
    if missing():
        raise ToolError("iree", f"{', '.join(missing())} not installed. {INSTALL}")
    apart = [is_stablehlo(text) for text in texts]
    if any(apart) and not all(apart):
        parts = {kind: iter(measure_iree(_of(texts, apart, kind), seconds=seconds)) for kind in (True, False)}
        return [next(parts[kind]) for kind in apart]
    try:
        return _measure_batch(texts, seconds)
    except ToolError as error:
        if len(texts) == 1:
            return [HostLabel(host_name(), COMPILER, status="failed", reason=_short(error))]
        print(f"{COMPILER}: a batch of {len(texts)} is halved. {_short(error)}", file=sys.stderr, flush=True)
    middle = len(texts) // 2
    return measure_iree(texts[:middle], seconds=seconds) + measure_iree(texts[middle:], seconds=seconds)


def _of(texts: list[str], kinds: list[bool], kind: bool) -> list[str]:
    return [text for text, own in zip(texts, kinds, strict=True) if own == kind]


def _measure_batch(texts: list[str], seconds: float) -> list[HostLabel]:
    with tempfile.TemporaryDirectory(prefix="mlir-iree-") as name:
        folder = Path(name)
        module, signatures = merged(texts)
        (folder / "module.mlir").write_text(module)
        (folder / "signatures.json").write_text(json.dumps(signatures))
        _compile(folder, seconds)
        times = _times(folder, seconds)
        counts, reasons = _counts(folder, signatures, seconds)
    host = host_name()
    return [
        HostLabel(host, COMPILER, counts[name], *times[name])
        if name in counts
        else HostLabel(host, COMPILER, status="failed", reason=reasons[name])
        for name in signatures
    ]


def merged(texts: list[str]) -> tuple[str, dict[str, Signature]]:
    """One module of the programs' functions, called ``p0``, ``p1``, ..., and what each takes.

    Raises
    ------
    ToolError
        One is not a single function of tensors of known size, or does not parse.
    """
    from iree.compiler import ir

    functions, signatures = [], {}
    with ir.Context():
        for index, text in enumerate(texts):
            try:
                module = ir.Module.parse(readable(text))
            except ir.MLIRError as error:
                raise ToolError("iree", _short(error)) from None
            if len(module.body.operations) != 1:
                raise ToolError("iree", "the program is not one function")
            function = module.body.operations[0]
            function.attributes["sym_name"] = ir.StringAttr.get(f"p{index}")
            signatures[f"p{index}"] = [_argument(kind) for kind in function.type.inputs]
            functions.append(function.operation.get_asm(use_local_scope=True))
    return "\n".join(functions), signatures


def _argument(kind: Any) -> tuple[list[int], str]:
    found = re.fullmatch(r"tensor<((?:\d+x)*)(\w+)>", str(kind))
    if found is None or found[2] not in _KINDS:
        raise ToolError("iree", f"an argument is a {kind}, not a tensor of known size")
    return [int(extent) for extent in found[1].split("x") if extent], found[2]


def _compile(folder: Path, seconds: float) -> None:
    from iree.compiler.tools import binaries

    compiler = binaries.find_tool("iree-compile")
    command = [compiler, *FLAGS, str(folder / "module.mlir"), "-o", str(folder / "module.vmfb")]
    _run(command, seconds)


def _times(folder: Path, seconds: float) -> dict[str, tuple[float, float]]:
    """Microseconds of a call and the repeats' relative spread."""
    printed = _run(_calls(folder, "-"), seconds)
    return {name: (float(time), float(noise)) for name, time, noise in map(str.split, printed.splitlines())}


def _counts(folder: Path, signatures: dict[str, Signature], seconds: float) -> tuple[dict[str, float], dict[str, str]]:
    """Instructions of generated code in one warm call; and why there are none, where valgrind cannot go on.

    It knows not every instruction: the program that it stopped at is left out, those behind it are counted anew.
    """
    source, library = folder / "requests.c", folder / "requests.so"
    source.write_text(_REQUESTS)
    _run(["clang-22", "-shared", "-fPIC", "-O1", str(source), "-o", str(library)], seconds)
    counts: dict[str, float] = {}
    reasons: dict[str, str] = {}
    while left := {name: own for name, own in signatures.items() if name not in counts and name not in reasons}:
        (folder / "signatures.json").write_text(json.dumps(left))
        stopped = _counted(folder, library, seconds)
        for dump in folder.glob("callgrind.*"):
            name, instructions = generated(dump.read_text())
            counts.update({name: instructions} if name else {})
            dump.unlink()
        missed = [name for name in left if name not in counts]
        reasons.update({missed[0]: stopped or "valgrind: no count"} if missed else {})
    return counts, reasons


def _counted(folder: Path, library: Path, seconds: float) -> str:
    """Run callgrind, a dump per function; what stopped it, "" if nothing did."""
    plain = ["--instr-atstart=no", "--compress-strings=no", "--compress-pos=no"]
    out = f"--callgrind-out-file={folder / 'callgrind'}"
    try:
        _run(["valgrind", "--tool=callgrind", *plain, out, *_calls(folder, str(library))], seconds)
    except ToolError as error:
        return _short(error)
    return ""


def _calls(folder: Path, requests: str) -> list[str]:
    script = Path(__file__).with_name("iree_calls.py")
    return [sys.executable, "-P", str(script), str(folder / "module.vmfb"), str(folder / "signatures.json"), requests]


def generated(dump: str) -> tuple[str, float]:
    """Name of a dump of callgrind's, and the instructions in code of no file."""
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", dump, re.MULTILINE)
    total, inside, called = 0, False, False
    for line in dump.splitlines():
        if line.startswith("ob="):
            inside = line == "ob=???"
        elif line.startswith("calls="):
            called = True
        elif line[:1].isdigit():
            total += int(line.split()[1]) if inside and not called else 0
            called = False
    return name[1] if name else "", float(total)


def _run(command: list[str], seconds: float) -> str:
    tool = Path(command[0]).name
    done = limited(tool, command, seconds)
    if done.returncode != 0:
        raise ToolError(tool, first_error(done.stderr, done.returncode))
    return done.stdout


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
