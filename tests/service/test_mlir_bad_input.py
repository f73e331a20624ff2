"""Every kind of bad MLIR program over REST and by the command: a reason and a place, never a 5xx, and it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costmodel.cli.main import main
from costmodel.registry import PRETRAINED, ModelStore
from service import Settings, create_app
from service.source import StoreSource
from tests.featurizers.mlir.samples import SAXPY

CPU = "znver4"
BAD = {
    "truncated": (b"func.func @f() {\n  return", "line 2, column"),
    "wrong SSA use": (b"func.func @f(%a: i32) {\n  %b = arith.addf %a, %a : i32\n  return\n}", "line 2, column 8"),
    "undeclared value": (b"func.func @f() {\n  return %a : i32\n}", "line 2, column 10"),
    "unknown dialect": (b"func.func @f() {\n\n  %0 = foo.bar : i32\n  return\n}", "line 3, column 8"),
    "50 MB of text": (b"// " + b"x" * 50_000_000 + b"\n" + SAXPY.encode(), None),
    "100,000 nested regions": (b"func.func @f() {\n" + b"scf.execute_region {" * 100_000, "line 2, column"),
    "a dense constant of 1 GB by hex": (
        b'func.func @f() { %0 = arith.constant dense<"0x0001"> : tensor<268435456xf32> return }', "line 1, column",
    ),
    "bytecode of a future version": (b"ML\xefR\x63\x63", "bytecode"),
    "dynamic shapes without values": (b"func.func @f(%a: i32,\n %m: memref<4x?xf32>) { return }", "line 1, column"),
    "empty module": (b"module {}", "line 1, column 1"),
    "nothing": (b"// nothing\n", "line 1, column 1"),
    "not UTF-8": (b"func.func @f\n\xff", "line 2, column 1"),
}  # fmt: skip


@pytest.fixture
def served(client_of: Any) -> Any:
    return client_of(create_app(Settings(), StoreSource(ModelStore(PRETRAINED, use_registry=False))))


def asked(served: Any, source: bytes, operation: str = "predict") -> Any:
    headers = {"Content-Type": "application/octet-stream"}
    return served.post(f"/v1/{operation}/mlir?device={CPU}", content=source, headers=headers)


@pytest.mark.parametrize("what", BAD)
def test_rest_refuses_with_a_place_and_goes_on(served: Any, what: str) -> None:
    source, place = BAD[what]
    answer = asked(served, source)
    assert 400 <= answer.status_code < 500, answer.text[:500]
    if place is not None:
        assert place in answer.text
    assert asked(served, SAXPY.encode()).status_code == 200


@pytest.mark.parametrize("what", [what for what in BAD if what != "nothing"])
def test_the_command_refuses_with_a_place(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, place = BAD[what]
    path = tmp_path / "bad.mlir"
    path.write_bytes(source)
    code = main(["predict", str(path), "--cpu", CPU, "--models-dir", str(PRETRAINED)])
    said = capsys.readouterr()
    assert code in (1, 2)
    assert "Traceback" not in said.err
    if place is not None:
        assert place in said.out + said.err


def test_a_module_of_ten_thousand_functions_is_answered(served: Any) -> None:
    text = "\n".join(f"func.func @f{n}(%a: i32) -> i32 {{ return %a : i32 }}" for n in range(10_000))
    answer = asked(served, text.encode())
    assert answer.status_code == 200
    assert answer.json()["results"][0]["predictions"]


FOREIGN = {
    "globals": "memref.global \"private\" constant @w : memref<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]>\n"
    "func.func @f() -> f32 {\n %w = memref.get_global @w : memref<4xf32>\n %c = arith.constant 1 : index\n"
    " %v = memref.load %w[%c] : memref<4xf32>\n return %v : f32 }",
    "gpu": "gpu.module @m { gpu.func @k(%a: memref<64xf32>) kernel { %i = gpu.thread_id x\n"
    " %v = memref.load %a[%i] : memref<64xf32>\n memref.store %v, %a[%i] : memref<64xf32>\n gpu.return } }",
    "llvm": "llvm.func @f(%p: !llvm.ptr, %n: i64) -> f32 { %0 = llvm.getelementptr %p[%n] : (!llvm.ptr,"
    " i64) -> !llvm.ptr, f32\n"
    " %1 = llvm.load %0 : !llvm.ptr -> f32\n %2 = llvm.fadd %1, %1 : f32\n llvm.return %2 : f32 }",
    "spirv": "spirv.module Logical GLSL450 { spirv.func @f(%a: f32) -> f32 \"None\" { %0 = spirv.FAdd %a, %a : f32\n"
    " spirv.ReturnValue %0 : f32 } }",
    "descriptor": "llvm.func @f(%d: !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>) -> i64 {\n"
    " %0 = llvm.extractvalue %d[2] : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>\n"
    " llvm.return %0 : i64 }",
    "unranked": "func.func private @g(memref<*xf32>)\nfunc.func @f(%a: memref<*xf32>) { call @g(%a) :"
    " (memref<*xf32>) -> ()\n return }",
    "unregistered": '"test.program"() ({ %0 = "test.a"() : () -> !test.t\n "test.b"(%0) : (!test.t) -> ()'
    ' }) : () -> ()',
    "pdl": "pdl.pattern : benefit(1) { %t = pdl.type\n %r = pdl.operation \"foo.op\"\n pdl.rewrite %r with"
    " \"rewriter\" }",
    "irreducible": "func.func @f(%c: i1) { cf.cond_br %c, ^a, ^b\n ^a: cf.br ^b\n ^b: cf.cond_br %c, ^a,"
    " ^d\n ^d: return }",
}  # fmt: skip


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("unregistered", [False, True])
def test_programs_of_other_dialects_are_answered_or_refused_with_a_reason(
    served: Any, what: str, unregistered: bool
) -> None:
    item = {"mlir": FOREIGN[what], "allow_unregistered": unregistered, "dims": {"*": 16}}
    answer = served.post("/v1/predict/mlir", json={"device": CPU, "inputs": [item]})
    assert answer.status_code in (200, 422), answer.text[:500]
    if answer.status_code == 200:
        for one in answer.json()["results"][0]["predictions"]:
            assert one["low"] <= one["value"] <= one["high"]
    else:
        assert "line" in json.dumps(answer.json()), answer.text[:500]
