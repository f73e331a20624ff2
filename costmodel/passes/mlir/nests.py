"""Loop nests that no model was trained on, in every way that `space` can write them, labelled by the real tools.

What the benchmark ``mlir-pass`` compares with: exhaustive search. Labels are kept in a journal and never made twice.
"""

from __future__ import annotations

import json
import resource
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from costmodel.measure.journal import Journal, read_journal
from costmodel.mlir.generators import Program
from costmodel.passes.mlir.loops import alone, may_jam, may_tile, nests_of
from costmodel.passes.mlir.space import Choice, choices
from costmodel.passes.mlir.tuner import functions_of, variants

FAMILIES = ("matmul", "batched_matmul", "convolution", "stencil", "reduction", "scan", "transpose")
"""Of `costmodel.mlir.generators`."""
_ALSO = ("gather", "polyhedral", "triangular")
"""More of them with one nest, to train on."""
HELD_OUT = 231
"""Nests of ``datasets/loop_nests``; none of them is trained on."""
SEED = 90_210
"""Functions are drawn with a seed that the training data does not use; equal texts are left out by `held_out`."""
_LIMIT_S = 20.0
"""Of each tool; a nest that takes longer (llvm-mca on blocks of thousands of instructions) is left out."""


@dataclass(frozen=True, slots=True)
class Nest:
    """A function with one loop nest."""

    name: str
    family: str
    text: str


def held_out(count: int, trained_on: frozenset[str] = frozenset(), seed: int = SEED) -> list[Nest]:
    """`count` functions with one affine nest, families in turn.

    trained_on : `program_id` of texts that are not to be used.
    """
    from iree.compiler import ir

    from costmodel.mlir.generators import sample_groups

    drawn = [sample_groups(family, 2 * count // len(FAMILIES) + 8, seed) for family in FAMILIES]
    context = ir.Context()
    by_family = [
        [
            Nest(f"{family}:{group.key}", family, group.text)
            for group in groups
            if _suits(group.text, trained_on, context)
        ]
        for family, groups in zip(FAMILIES, drawn, strict=True)
    ]
    turns = zip_longest(*by_family)
    found = [nest for turn in turns for nest in turn if nest is not None]
    return found[:count]


def _suits(text: str, trained_on: frozenset[str], context: Any) -> bool:
    from iree.compiler import ir

    from costmodel.mlir.labelling.campaign import program_id

    if program_id(text) in trained_on:
        return False
    with context:
        module = ir.Module.parse(text)
    return sum(len(nests_of(function)) for function in functions_of(module)) == 1


def written(nest: Nest, context: Any) -> dict[Choice, Any]:
    """The nest alone in a module, by choice."""
    from iree.compiler import ir

    with context:
        module = ir.Module.parse(nest.text)
    loop = next(loop for function in functions_of(module) for loop in nests_of(function))
    return variants(alone(loop), choices(may_tile(loop), may_jam(loop)))


def for_training(count: int, seed: int) -> Iterator[Program]:
    """Up to `count` nests of each family that is trained on, in every way that a pass may write them.

    For ``datasets/mlir_programs``: without them a model has never seen two ways to write one nest that differ in just
    what the pass decides. None is a program of `held_out`.
    """
    from iree.compiler import ir

    from costmodel.mlir.generators import TEST_UNSEEN, sample_groups
    from costmodel.mlir.labelling.campaign import program_id

    kept = {program_id(str(module)) for nest in held_out(HELD_OUT) for module in written(nest, ir.Context()).values()}
    for family in sorted({*FAMILIES, *_ALSO} - {*TEST_UNSEEN}):
        context = ir.Context()
        for group in sample_groups(family, count, seed):
            if _suits(group.text, frozenset(), context):
                for choice, module in written(Nest(group.key, family, group.text), context).items():
                    if program_id(str(module)) not in kept:
                        name = json.dumps({"choice": str(choice)}, separators=(",", ":"))
                        yield Program(family, f"{family}/{group.key}", name, str(module))


def label_all(nests: Sequence[Nest], cpu: str, journal: Path) -> None:
    """Label what the journal lacks: one line per nest, all of its choices in one batch, as a search of it would do.

    A line says which processor seconds the tools took for the batch, or why there are no labels.
    """
    from iree.compiler import ir

    done = {row["nest"] for row in read_journal(journal)}
    out = Journal(journal)
    for nest in nests:
        if nest.name not in done:
            modules = written(nest, ir.Context())
            out.append({"nest": nest.name, "cpu": cpu, **_labelled({str(c): str(m) for c, m in modules.items()}, cpu)})
    out.close()


def _labelled(texts: dict[str, str], cpu: str) -> dict[str, Any]:
    from costmodel.mlir.labelling import ToolError
    from costmodel.mlir.labelling.api import _costs
    from costmodel.mlir.labelling.codegen import compile_batch
    from costmodel.mlir.labelling.lower import lower_batch
    from costmodel.mlir.labelling.sums import summarise
    from costmodel.mlir.labelling.targets import cpu_target

    started, target = _child_seconds(), cpu_target(cpu)
    with tempfile.TemporaryDirectory(prefix="nest-") as name:
        folder = Path(name)
        try:
            bitcode = lower_batch(list(texts.values()), folder, seconds=_LIMIT_S)
            code = compile_batch(bitcode, target, folder, seconds=_LIMIT_S)
            rows = summarise(code, len(texts), target, _costs(target), folder, _LIMIT_S)
        except ToolError as error:
            return {"status": "failed", "reason": str(error)[:200]}
    return {
        "status": "ok",
        "choices": list(texts),
        "cycles": [row.cycles for row in rows],
        "instructions": [row.executed_instructions for row in rows],
        "tool_seconds": round(_child_seconds() - started, 3),
    }


def _child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
