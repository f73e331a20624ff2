"""Every way in which the pass may write a nest computes the same: all of them are run by `mlir-runner-22`.

Skipped where Debian's mlir-22-tools are not installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import groupby
from pathlib import Path

import pytest

from costmodel.passes.mlir.nests import FAMILIES, Nest, held_out, written

ir = pytest.importorskip("iree.compiler.ir", reason="MLIR's Python bindings are in iree-base-compiler")

_LIBRARY = next(iter(sorted(Path("/usr/lib/llvm-22/lib").glob("libmlir_c_runner_utils.so*"))), None)
_OF_EACH_FAMILY = 3
_LOWERING = (
    "func.func(lower-affine,convert-scf-to-cf),convert-math-to-llvm,convert-vector-to-llvm,expand-strided-metadata,"
    "lower-affine,finalize-memref-to-llvm,convert-arith-to-llvm,convert-index-to-llvm,convert-func-to-llvm,"
    "convert-cf-to-llvm,reconcile-unrealized-casts"
)

needs_runner = pytest.mark.skipif(
    shutil.which("mlir-runner-22") is None or _LIBRARY is None, reason="needs Debian's mlir-22-tools"
)


def nests() -> list[Nest]:
    """A few of each family."""
    found = sorted(held_out(12 * len(FAMILIES)), key=lambda nest: nest.family)
    return [nest for _, own in groupby(found, key=lambda nest: nest.family) for nest in list(own)[:_OF_EACH_FAMILY]]


@needs_runner
@pytest.mark.parametrize("nest", nests(), ids=lambda nest: nest.name)
def test_every_way_to_write_a_nest_computes_the_same(nest: Nest) -> None:
    modules = written(nest, ir.Context())
    said = checksums([str(module) for module in modules.values()])
    assert len(said) == len(modules) > 1
    assert dict.fromkeys(modules, said[0]) == dict(zip(modules, said, strict=True))


def checksums(texts: list[str]) -> list[str]:
    """What the buffers and results of each nest hold after it has run once on the same numbers, as one number."""
    parts, calls = [], []
    for number, text in enumerate(texts):
        head, aliases, function = _taken_apart(text, f"nest_{number}")
        parts.append("module {\n" + function + _driver(head, f"nest_{number}", f"run_{number}") + "}\n")
        parts[-1] = aliases + parts[-1]
        calls.append(f"run_{number}")
    return [_run(part, call) for part, call in zip(parts, calls, strict=True)]


def _taken_apart(text: str, name: str) -> tuple[str, str, str]:
    """The signature, the aliases of maps, and the function under another name."""
    aliases = "".join(line + "\n" for line in text.splitlines() if line.startswith("#"))
    function = text[text.index("  func.func") : text.rindex("}")].replace("@nest", f"@{name}")
    return function[: function.index("{\n")], aliases, function


def _driver(head: str, name: str, entry: str) -> str:
    kinds = re.findall(r"%arg\d+: (memref<[^>]*>|\w+)", head)
    results = re.search(r"-> \(?([\w, ]+)\)?", head)
    returned = [kind.strip() for kind in results[1].split(",")] if results else []
    lines = [f"  func.func @{entry}() {{", "    %h0 = arith.constant 1469598103934665603 : i64"]
    lines += ["    %seven = arith.constant 7 : i64", "    %thirteen = arith.constant 13 : i64"]
    lines += ["    %six = arith.constant 6 : i64", "    %prime = arith.constant 1099511628211 : i64"]
    for place, kind in enumerate(kinds):
        if kind.startswith("memref"):
            lines += [f"    %a{place} = memref.alloc() : {kind}", *_over(kind, _filled(place, kind))]
        else:
            lines += _scalar(place, kind)
    values = ", ".join(f"%a{place}" for place in range(len(kinds)))
    left = ", ".join(f"%r{place}" for place in range(len(returned)))
    arrow = f" -> ({', '.join(returned)})"
    lines.append(f"    {left + ' = ' if returned else ''}func.call @{name}({values}) : ({', '.join(kinds)}){arrow}")
    lines += ["    %sum = memref.alloca() : memref<i64>", "    memref.store %h0, %sum[] : memref<i64>"]
    for place, kind in enumerate(kinds):
        if kind.startswith("memref"):
            element = re.split(r"[x<]", kind.rstrip(">"))[-1]
            load = f"%v = memref.load %a{place}[{_indices(kind)}] : {kind}"
            lines += _over(kind, [load, *_added(element, "%v")])
    for place, kind in enumerate(returned):
        lines += ["    scf.execute_region {", *_added(kind, f"%r{place}"), "      scf.yield", "    }"]
    lines += ["    %end = memref.load %sum[] : memref<i64>", "    vector.print %end : i64", "    return", "  }", ""]
    return "\n".join(lines)


def _sizes(kind: str) -> list[int]:
    return [int(size) for size in re.findall(r"(\d+)x", kind)]


def _indices(kind: str) -> str:
    return ", ".join(f"%i{axis}" for axis in range(len(_sizes(kind))))


def _over(kind: str, body: list[str]) -> list[str]:
    """Lines for each element of a buffer."""
    sizes = _sizes(kind)
    return [
        *[f"    affine.for %i{axis} = 0 to {size} {{" for axis, size in enumerate(sizes)],
        *([] if sizes else ["    scf.execute_region {"]),
        *body,
        *(["    }"] * len(sizes) if sizes else ["      scf.yield", "    }"]),
    ]


def _filled(place: int, kind: str) -> list[str]:
    """A small whole number that depends on where it lies and on the buffer."""
    element = re.split(r"[x<]", kind.rstrip(">"))[-1]
    lines = [f"%n0 = arith.constant {place + 3} : i64"]
    for axis in range(len(_sizes(kind))):
        lines.append(f"%c{axis} = arith.index_cast %i{axis} : index to i64")
        lines.append(f"%m{axis} = arith.muli %n{axis}, %seven : i64")
        lines.append(f"%n{axis + 1} = arith.addi %m{axis}, %c{axis} : i64")
    last = len(_sizes(kind))
    lines += [f"%q = arith.remsi %n{last}, %thirteen : i64", "%p = arith.subi %q, %six : i64"]
    return [*lines, *_converted("%p", "%x", element), f"memref.store %x, %a{place}[{_indices(kind)}] : {kind}"]


def _converted(value: str, into: str, element: str) -> list[str]:
    if element.startswith(("f", "bf")):
        return [f"{into} = arith.sitofp {value} : i64 to {element}"]
    if element == "index":
        return [f"{into} = arith.index_cast {value} : i64 to index"]
    if element == "i64":
        return [f"{into} = arith.addi {value}, {value} : i64"]
    return [f"{into} = arith.trunci {value} : i64 to {element}"]


def _scalar(place: int, kind: str) -> list[str]:
    return [f"    %s{place} = arith.constant {place + 2} : i64", *_converted(f"%s{place}", f"%a{place}", kind)]


def _added(element: str, value: str) -> list[str]:
    """The bits of a value go into the checksum."""
    lines, bits = [], {"f": element[1:], "b": "16", "i": element[1:]}.get(element[:1], "64")
    if element == "index":
        lines, value, bits = [f"%w = arith.index_cast {value} : index to i64"], "%w", "64"
    elif not element.startswith("i"):
        lines, value = [f"%w = arith.bitcast {value} : {element} to i{bits}"], "%w"
    if bits != "64":
        lines, value = [*lines, f"%u = arith.extui {value} : i{bits} to i64"], "%u"
    return [*lines, "%old = memref.load %sum[] : memref<i64>", f"%mixed = arith.xori %old, {value} : i64",
            "%new = arith.muli %mixed, %prime : i64", "memref.store %new, %sum[] : memref<i64>"]  # fmt: skip


def _run(text: str, entry: str) -> str:
    lowered = subprocess.run(
        ["mlir-opt-22", f"--pass-pipeline=builtin.module({_LOWERING})", "-"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert lowered.returncode == 0, lowered.stderr[:2000]
    ran = subprocess.run(
        ["mlir-runner-22", "-e", entry, "--entry-point-result=void", f"--shared-libs={_LIBRARY}", "-"],
        input=lowered.stdout, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[:2000]
    return ran.stdout.strip()
