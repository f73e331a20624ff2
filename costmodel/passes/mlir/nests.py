"""Loop nests that no model was trained on, in every way that `space` can write them, labelled by the real tools.

What the benchmark ``mlir-pass`` compares with: exhaustive search. Labels are kept in a journal and never made twice.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from costmodel.measure.journal import Journal, read_journal
from costmodel.passes.mlir.loops import alone, depth, may_jam, nests_of
from costmodel.passes.mlir.space import Choice, choices
from costmodel.passes.mlir.tuner import functions_of, variants

FAMILIES = ("matmul", "batched_matmul", "convolution", "stencil", "reduction", "scan", "transpose")
"""Of `costmodel.mlir.generators`; ``convolution`` is one that no model is trained on."""
SEED = 90_210
"""Functions are drawn with a seed that the training data does not use; equal texts are left out by `held_out`."""
_BATCH = 33


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
    return variants(alone(loop), choices(depth(loop), may_jam(loop)))


def label_all(nests: Sequence[Nest], cpu: str, journal: Path) -> None:
    """Label what the journal lacks: one line per nest and choice, with the processor seconds that its label took."""
    from costmodel.mlir.labelling import label

    done = {(row["nest"], row["choice"]) for row in read_journal(journal)}
    out = Journal(journal)
    for batch in _batches(nests, done):
        started = _child_seconds()
        rows = label([text for _, _, text in batch], [cpu])
        each = (_child_seconds() - started) / len(batch)
        for (nest, choice, _), row in zip(batch, rows, strict=True):
            costs = {"cycles": row.cycles, "instructions": row.executed_instructions, "status": row.status}
            out.append({"nest": nest, "choice": choice, "cpu": cpu, **costs, "tool_seconds": round(each, 4)})
    out.close()


def _batches(nests: Sequence[Nest], done: set[tuple[str, str]]) -> Iterator[list[tuple[str, str, str]]]:
    from iree.compiler import ir

    batch: list[tuple[str, str, str]] = []
    for nest in nests:
        context = ir.Context()
        for choice, module in written(nest, context).items():
            if (nest.name, str(choice)) not in done:
                batch.append((nest.name, str(choice), str(module)))
        while len(batch) >= _BATCH:
            yield batch[:_BATCH]
            batch = batch[_BATCH:]
    if batch:
        yield batch


def _child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
