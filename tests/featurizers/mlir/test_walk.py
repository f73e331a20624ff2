"""The walk over bytecode, beside what MLIR's bindings say of the same module."""

from __future__ import annotations

from typing import Any

import pytest

from featurizers.errors import InputError
from featurizers.mlir import bytecode
from featurizers.mlir.module import Block, Op

pytest.importorskip("iree.compiler")

NESTED = """
module {
  func.func private @g(f32) -> f32
  func.func @f(%m: memref<8x4xf32>, %n: index, %x: f32) -> f32 {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %r = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %x) -> (f32) {
      %v = memref.load %m[%i, %c0] : memref<8x4xf32>
      %p = scf.if %b0 -> (f32) {
        %w = func.call @g(%v) : (f32) -> f32
        scf.yield %w : f32
      } else {
        scf.yield %acc : f32
      }
      scf.yield %p : f32
    }
    return %r : f32
  }
  func.func @h(%k: i32) -> i32 {
    cf.br ^next(%k : i32)
  ^next(%j: i32):
    %c = arith.constant 3 : i32
    %t = arith.cmpi slt, %j, %c : i32
    %u = arith.addi %j, %c : i32
    cf.cond_br %t, ^next(%u : i32), ^last
  ^last:
    return %j : i32
  }
}
""".replace("%b0", "%true").replace("    %c0 = arith", "    %true = arith.constant true\n    %c0 = arith", 1)

MANY = "func.func @f(%a: i32) -> i32 {\n" + "\n".join(
    [f"  %{i} = arith.addi %a, {f'%{i - 1}' if i else '%a'} : i32" for i in range(300)] + ["  return %299 : i32 }"]
)

ALONE = """
module {
  func.func private @g()
  func.func @f(%b: i1) {
    scf.if %b {
      func.call @g() : () -> ()
    } else {
      func.call @g() : () -> ()
    }
    return
  }
}
"""
"""Two regions that use nothing of the outside: bytecode has both in one section."""


def _parsed(text: str) -> Any:
    from iree.compiler import ir

    return ir.Module.parse(text, ir.Context()).operation


def _plain(op: Op, types: list[str], ids: dict[int, int]) -> list[Any]:
    """An operation with its values numbered as they appear."""

    def number(value: int) -> int:
        return ids.setdefault(value, len(ids))

    def block(found: Block) -> list[Any]:
        arguments = [(number(v), types[v]) for v in found.arguments]
        return [arguments, [_plain(inner, types, ids) for inner in found.ops]]

    operands = [number(v) for v in op.operands]
    results = [(number(v), types[v]) for v in op.results]
    return [op.name, operands, results, op.successors, [[block(b) for b in region] for region in op.regions]]


def _of_bindings(operation: Any, ids: dict[int, int]) -> list[Any]:
    def number(value: Any) -> int:
        return ids.setdefault(hash(value), len(ids))

    def block(found: Any) -> list[Any]:
        arguments = [(number(v), str(v.type)) for v in found.arguments]
        return [arguments, [_of_bindings(inner, ids) for inner in found.operations]]

    operands = [number(v) for v in operation.operands]
    results = [(number(v), str(v.type)) for v in operation.results]
    blocks = [] if operation.parent is None else list(operation.operation.block.region.blocks)
    successors = [blocks.index(b) for b in operation.successors]
    regions = [[block(b) for b in region.blocks] for region in operation.regions]
    return [operation.operation.name, operands, results, successors, regions]


@pytest.mark.parametrize("text", [NESTED, MANY, ALONE], ids=["nested", "many", "alone"])
def test_the_walk_says_what_the_bindings_say(text: str) -> None:
    from featurizers.mlir.walk import Walker

    operation = _parsed(text)
    module = Walker().module(operation)
    shown = {"float": "f32", "int": "i32", "index": "index", "memref": "memref<8x4xf32>"}
    types = [shown[module.types[t].kind] if module.types[t].bits != 1 else "i1" for t in module.value_types]
    ids: dict[int, int] = {}
    ours = [_plain(op, types, ids) for op in module.ops]
    known: dict[int, int] = {}
    theirs = [_of_bindings(op, known) for op in operation.regions[0].blocks[0].operations]
    assert ours == theirs


def test_places_and_attributes_are_those_of_the_source() -> None:
    from featurizers.mlir.walk import Walker

    module = Walker().module(_parsed(NESTED))
    assert [(op.attributes["sym_name"], op.line) for op in module.ops] == [("g", 3), ("f", 4), ("h", 20)]
    constants = [op.attributes["value"] for op in module.ops[1].regions[0][0].ops if op.name == "arith.constant"]
    assert constants == [True, 0, 1]


def test_numbers_of_all_lengths() -> None:
    for value in (0, 1, 127, 128, 16383, 16384, 2**20, 2**35, 2**62, 2**64 - 1):
        size = max((value.bit_length() + 6) // 7, 1)
        written = ((value << size) | (1 << (size - 1))).to_bytes(size, "little") if size < 9 else b""
        written = written or b"\0" + value.to_bytes(8, "little")
        assert bytecode.varint(b"x" + written, 1) == (value, 1 + len(written))
        assert bytecode.SIZES[written[0]] == len(written)


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 7, not 6"):
        bytecode.layout(b"ML\xefR\x0f")


def test_bytecode_that_ends_early_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from featurizers.mlir import walk

    whole = bytecode.written(_parsed(MANY))
    monkeypatch.setattr(walk, "written", lambda _: whole._replace(data=whole.data[: whole.start + 40]))
    with pytest.raises(InputError, match="bytecode"):
        walk.Walker().module(_parsed(MANY))
