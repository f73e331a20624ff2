"""Kernels as expressions: which operation an operator writes, by the sign and width of its operands."""

from __future__ import annotations

import random
import re

import pytest

from costmodel.mlir.generators.code import Code
from costmodel.mlir.generators.expanding import transform
from costmodel.mlir.generators.structures import mapped, saturated, variants_of
from costmodel.mlir.labelling import missing_tools

needs_tools = pytest.mark.skipif("mlir-opt" in missing_tools(), reason="mlir-opt-22 (mlir-22-tools) is not installed")


def _written(kind: str, expression) -> str:
    code = Code(0)
    code.results = [expression(code.scalar(kind), code.scalar(kind))]
    return code.written("f")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("i32", "arith.divsi"), ("u32", "arith.divui"), ("f32", "arith.divf")],
)
def test_an_operator_is_of_its_operands_type(kind, expected):
    assert f"{expected} %arg1, %arg2 : {kind.replace('u', 'i')}" in _written(kind, lambda a, b: a / b)


@pytest.mark.parametrize(
    ("old", "new", "operation"),
    [
        ("i8", "i32", "extsi"),
        ("u8", "i32", "extui"),
        ("i32", "u8", "trunci"),
        ("f32", "f64", "extf"),
        ("f64", "f16", "truncf"),
        ("f32", "u8", "fptoui"),
        ("f32", "i8", "fptosi"),
        ("u16", "f32", "uitofp"),
        ("i16", "f32", "sitofp"),
        ("u16", "index", "index_castui"),
        ("i16", "index", "index_cast"),
    ],
)
def test_a_conversion_extends_by_the_sign_of_the_type_it_comes_from(old, new, operation):
    assert f"arith.{operation} %arg1" in _written(old, lambda a, _: a.to(new))


def test_a_constant_fits_its_type():
    assert "arith.constant -1 : i8" in _written("u8", lambda a, _: a & 255)
    assert "arith.constant -8 : i8" in _written("i8", lambda a, _: a + -8)


def test_saturation_knows_the_range_of_its_type():
    text = _written("i32", lambda a, _: saturated(a, "u8"))
    assert "arith.constant 0 : i32" in text
    assert "arith.constant 255 : i32" in text


@needs_tools
def test_loops_branches_and_switches_that_give_values_parse():
    code = Code(1)
    x, y = code.array([8, 8], "u8"), code.array(8, "i32")
    with code.nest(8) as (i,):
        with code.carry(0, 4, code.known(0, "i32"), code.known(1, "i32"), step=2) as loop:
            first, second = loop.values
            loop.next = [second, first + x[i, f"{loop.index} + 1"].to("i32")]
        chosen = code.branch(loop.out[0] > 3, lambda: [loop.out[0] * 2], lambda: [loop.out[1]])
        ended = code.repeat([chosen[0]], lambda v: v[0] > 9, lambda v: [v[0] / 3])
        with code.within("d0 - 2 >= 0", i), code.count(0, i) as n:
            y[n] = code.switch(x[n, 0], [lambda: ended[0], lambda: code.known(7, "i32")], "i32")
        with code.when(ended[0].same(4)):
            y[i] = y[code.position(f"{i} floordiv 2")]
    (printed,) = transform([code.written("f", noalias=True)], "")
    assert printed is not None
    for operation in (
        "scf.while",
        "scf.index_switch",
        "scf.for",
        "affine.if",
        "affine.apply",
        "step 2",
        "llvm.noalias",
    ):
        assert operation in printed


@needs_tools
@pytest.mark.parametrize("form", ["scalar", "line", "plane", "records", "total", "guarded", "strided", "rows"])
def test_a_body_fits_into_every_structure_and_another_order_is_another_text(form):
    texts = []
    for alternative in (False, True):
        code = Code(5, alternative=alternative)
        mapped(code, ["i16", "i16"], lambda a, b: [a * b, a - b], forms=(form,))
        texts.append(code.written("f"))
    assert None not in transform(texts, "")
    assert (texts[0] != texts[1]) == (form in ("line", "plane", "rows", "total"))


@pytest.mark.parametrize("seed", range(12))
def test_several_elements_at_once_leave_none_out(seed):
    code = Code(seed, alternative=True)
    mapped(code, ["i32"], lambda a: [a + 1], forms=("line",))
    text = code.written("f")
    length = int(re.search(r"memref<(\d+)xi32>", text)[1])
    high, step = map(int, re.search(r"= 0 to (\d+) step (\d+)", text).groups())
    stored = text.count("affine.store")
    assert step in (2, 4)
    assert high + (stored - step) == length


def test_only_loops_are_tiled_or_unrolled():
    code = Code(0)
    code.results = [code.scalar("i32") + 1]
    assert [variant.what for variant in variants_of(random.Random(0), code.written("f"))] == [{"canonical": True}]
