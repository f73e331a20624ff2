"""LLVM's assembly text, as ``llc`` writes it with its comments: functions, basic blocks, loops and edges."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from costmodel.mlir.labelling.targets import CpuTarget


@dataclass
class Block:
    """One machine basic block; `label` is llc's number of it within the function."""

    label: str
    ir_name: str
    """Name of the IR block it came from; empty where llc made it up."""
    instructions: list[str] = field(default_factory=list)
    header: str | None = None
    """Label of the innermost loop's header that it is in (its own label for a header)."""
    depth: int = 0
    is_header: bool = False
    parent: str | None = None
    """Of a header: the header of the loop around it."""
    successors: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)


@dataclass
class Function:
    """Blocks in layout order; the first is the entry."""

    name: str
    blocks: list[Block]


_BEGIN = re.compile(r"-- Begin function (\S+)")
_LABEL = re.compile(r"^\.LBB(\d+_\d+):")
_UNLABELLED = re.compile(r"^(?:#|//) %bb\.(\d+):")
_IR_NAME = re.compile(r"(?:#|//) %([^\s:]+)\s*$")
_IN_LOOP = re.compile(r"in Loop: Header=BB(\d+_\d+) Depth=(\d+)")
_HEADER = re.compile(r"=>\s*This (?:Inner )?Loop Header: Depth=(\d+)")
_PARENT = re.compile(r"Parent Loop BB(\d+_\d+) Depth=(\d+)")
_TARGET = re.compile(r"\.LBB(\d+_\d+)\b")
_CALL = re.compile(r"^(?:callq?|bl|tail|jmp|b)\s+([A-Za-z_][\w.$]*)(?:@PLT)?$")
_UNCONDITIONAL = re.compile(r"^(?:jmp|b|j|ret|retq|tail|ud2|brk|unimp|br|jr)\b(?!\.)")


def parse_assembly(text: str, cpu: CpuTarget) -> list[Function]:
    """All functions of the text."""
    functions = []
    number = -1
    lines = text.split("\n")
    starts = [index for index, line in enumerate(lines) if _BEGIN.search(line)]
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        number += 1
        name = _BEGIN.search(lines[start])
        assert name is not None
        blocks = _blocks(lines[start:stop], cpu.comment)
        _connect(blocks)
        functions.append(Function(name[1], blocks))
    return functions


def _blocks(lines: list[str], comment: str) -> list[Block]:
    blocks: list[Block] = []
    function_number = "0"
    in_head = False
    for line in lines:
        if "-- End function" in line or line.startswith(".Lfunc_end"):
            break
        labelled, unlabelled = _LABEL.match(line), _UNLABELLED.match(line)
        if labelled or unlabelled:
            label = labelled[1] if labelled else f"?_{unlabelled[1]}"  # type: ignore[index]
            name = _IR_NAME.search(line.split(":", 1)[1])
            blocks.append(Block(label, name[1] if name else ""))
            in_head = True
            _note(blocks[-1], line.split(":", 1)[1])
            continue
        elif not blocks:
            continue
        code, _, note = line.partition(comment)
        code = code.strip()
        if in_head and not code.startswith("."):
            _note(blocks[-1], note)
        if code and not code.startswith(".") and not code.endswith(":"):
            in_head = False
            blocks[-1].instructions.append(code)
    for block in blocks:
        if not block.label.startswith("?"):
            function_number = block.label.split("_")[0]
        elif block.header:
            function_number = block.header.split("_")[0]
    _number(blocks, function_number)
    return blocks


def _number(blocks: list[Block], function_number: str) -> None:
    for block in blocks:
        block.label = block.label.replace("?", function_number)
        if block.is_header:
            block.header = block.label


def _note(block: Block, note: str) -> None:
    if found := _HEADER.search(note):
        block.is_header, block.depth = True, int(found[1])
    elif found := _PARENT.search(note):
        block.parent = found[1]
    elif found := _IN_LOOP.search(note):
        block.header, block.depth = found[1], int(found[2])


def _connect(blocks: list[Block]) -> None:
    labels = {block.label for block in blocks}
    for index, block in enumerate(blocks):
        falls = True
        for instruction in block.instructions:
            operands = instruction.partition("\t")[2]
            for target in _TARGET.findall(operands):
                if target in labels and target not in block.successors:
                    block.successors.append(target)
            if found := _CALL.match(instruction.replace("\t", " ")):
                block.calls.append(found[1])
        if block.instructions and _UNCONDITIONAL.match(block.instructions[-1]):
            falls = False
        if falls and index + 1 < len(blocks) and blocks[index + 1].label not in block.successors:
            block.successors.append(blocks[index + 1].label)
