"""From groups to programs: ``mlir-opt`` makes the variants, many texts per process; equal texts are kept once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from costmodel.mlir.generators.groups import Group, Program, Variant
from costmodel.mlir.labelling.lower import SPLIT
from costmodel.mlir.labelling.stablehlo import is_stablehlo, printed
from costmodel.mlir.labelling.tools import ToolError, run
from featurizers.mlir.older import readable

LONGEST_TEXT = 60_000
"""Characters. A variant that unrolled into more is left out: nobody would ask about it."""

_SECONDS = 60.0
_ALIGNMENT = re.compile(r" ?\{alignment = \d+ : i64\}")
_CLAMPED = re.compile(r'"tosa\.clamp"\((%[\w#]+)\) <(\{[^{}]*\})>')


def expand(groups: Iterable[Group]) -> list[Program]:
    """All programs of the groups, as ``mlir-opt`` prints them; the plain one of each group comes first.

    Variants that a pass refuses, that change nothing or that repeat another are left out.

    Raises
    ------
    costmodel.mlir.labelling.ToolError
        ``mlir-opt-22`` is not installed.
    """
    groups = list(groups)
    wanted: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for index, group in enumerate(groups):
        for place, variant in enumerate([Variant({}), *group.variants]):
            wanted[variant.passes].append((index, place, variant.text or group.text))
    printed: dict[tuple[int, int], str] = {}
    for passes, items in wanted.items():
        texts = transform([text for _, _, text in items], passes)
        printed.update({(i, p): text for (i, p, _), text in zip(items, texts, strict=True) if text is not None})
    return _distinct(groups, printed)


def transform(texts: list[str], passes: str) -> list[str | None]:
    """Each text after these passes (none: as printed), None where a pass or the parser refuses it."""
    if any(map(is_stablehlo, texts)):
        others = [text for text in texts if not is_stablehlo(text)]
        done = iter(transform(others, passes) if others else [])
        return [_stablehlo(text, passes) if is_stablehlo(text) else next(done) for text in texts]
    pipeline = f"--pass-pipeline=builtin.module({passes})"
    try:
        out = run(
            "mlir-opt",
            ["--split-input-file", "--output-split-marker=// -----", "--mlir-print-local-scope", pipeline, "-"],
            stdin=SPLIT.join(texts),
            seconds=_SECONDS,
        )
        parts = out.split("// -----\n")
        if len(parts) == len(texts):
            return [portable(part) for part in parts]
    except ToolError as error:
        if "not installed" in error.reason:
            raise
    if len(texts) == 1:
        return [None]
    middle = len(texts) // 2
    return transform(texts[:middle], passes) + transform(texts[middle:], passes)


def _stablehlo(text: str, passes: str) -> str | None:
    """As its own printer writes it: ``mlir-opt`` does not know the dialect, so no pass of its own applies."""
    try:
        return None if passes else printed(text).strip() + "\n"
    except ToolError:
        return None


def portable(text: str) -> str:
    """The same program in a form that parsers of MLIR before and after release 22 read.

    But for tosa.clamp, which the featurizer's parser writes anew: earlier versions of the data set have it this way.
    """
    return _CLAMPED.sub(r"tosa.clamp \1 \2", readable(_ALIGNMENT.sub("", text))).strip() + "\n"


def _distinct(groups: list[Group], printed: dict[tuple[int, int], str]) -> list[Program]:
    seen: set[str] = set()
    programs = []
    for index, group in enumerate(groups):
        for place, variant in enumerate([Variant({}), *group.variants]):
            text = printed.get((index, place))
            if text is None or text in seen or len(text) > LONGEST_TEXT:
                continue
            seen.add(text)
            programs.append(Program(group.family, f"{group.family}/{group.key}", variant.name, text))
    return programs
