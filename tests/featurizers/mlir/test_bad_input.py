"""Bad input is refused with its place, and the next input is answered."""

from __future__ import annotations

from typing import Any

import pytest

from featurizers.errors import InputError, LimitError, UnknownNameError
from featurizers.mlir import Limits, MlirFeaturizer
from tests.featurizers.mlir.samples import MATMUL, SUM

FEATURIZER = MlirFeaturizer()


def refused(text: Any, **options: Any) -> InputError:
    with pytest.raises(InputError) as error:
        FEATURIZER.parse({"mlir": text, **options})
    FEATURIZER.parse({"mlir": SUM})
    return error.value


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("func.func @f() {\n  return", "line 2, column", "refused by the MLIR parser"),
        ("func.func @f() {\n  return %a : i32\n}", "line 2, column 10", "undeclared SSA value"),
        ("func.func @f() {\n\n  %0 = foo.bar : i32\n  return\n}", "line 3, column 8", "dialect that is not known"),
        ("func.func @f(%a: i32) {\n  %b = arith.addf %a, %a : i32\n  return\n}", "line 2, column 8", "floating-point"),
        ("", "line 1, column 1", "at least one function"),
        ("module {}", "line 1, column 1", "at least one function"),
        ("func.func private @f()", "line 1, column 1", "at least one function"),
        ("\n\n\0", "line 3, column 1", "zero byte"),
        (b"func.func @f\n\xff", "line 2, column 1", "UTF-8"),
        (b"ML\xefR\x63\x63", "bytecode", "newer than the current version"),
    ],
)
def test_refused_with_its_place(text: str | bytes, where: str, says: str) -> None:
    error = refused(text)
    assert error.where is not None
    assert error.where.startswith(where)
    assert says in str(error)


def test_limits() -> None:
    nested = "func.func @f() {\n" + "scf.execute_region {" * 100_000 + "}" * 100_000 + "\nreturn }"
    error = refused(nested)
    assert isinstance(error, LimitError)
    assert error.where == "line 2, column 5120"
    small = MlirFeaturizer(Limits(bytes=100))
    with pytest.raises(LimitError, match="at most 100 bytes"):
        small.parse({"mlir": MATMUL})


def test_dynamic_dimensions_need_a_value() -> None:
    text = "func.func @f(%a: i32,\n %m: memref<4x?xf32>) { return }"
    error = refused(text)
    assert "Dimension 1 of argument 1" in str(error)
    assert "arg1.1" in str(error)
    for dims in ({"arg1.1": 8}, {"f:arg1.1": 8}, {"*": 8}):
        assert FEATURIZER.parse({"mlir": text, "dims": dims}).functions[0].buffers == 1
    with pytest.raises(UnknownNameError, match="arg7.0"):
        FEATURIZER.parse({"mlir": text, "dims": {"*": 8, "arg7.0": 3}})
    assert "whole number" in str(refused(text, dims={"arg1.1": -1}))


def test_unregistered_operations_only_when_asked() -> None:
    text = 'func.func @f() { "foo.bar"() : () -> () return }'
    assert "not known" in str(refused(text))
    assert FEATURIZER.parse({"mlir": text, "allow_unregistered": True}).unknown_ops == {"foo.bar": 1}


def test_fields_are_checked() -> None:
    with pytest.raises(InputError, match="exactly one of mlir, file"):
        FEATURIZER.parse({})
    with pytest.raises(UnknownNameError, match="mlri"):
        FEATURIZER.parse({"mlri": SUM})
    with pytest.raises(InputError, match="bytes of a file"):
        FEATURIZER.parse({"file": SUM})
    assert "true or false" in str(refused(SUM, allow_unregistered=1))
    with pytest.raises(UnknownNameError, match="'g'"):
        FEATURIZER.parse({"mlir": SUM, "function": "g"})
    with pytest.raises(UnknownNameError, match="pentium"):
        FEATURIZER.features([FEATURIZER.parse({"mlir": SUM})], profile="pentium")


def test_a_large_dense_constant_by_hex_is_not_expanded() -> None:
    text = 'func.func @f() { %0 = arith.constant dense<"0x' + "00" * 4096 + '"> : tensor<1024xf32> return }'
    assert FEATURIZER.parse({"mlir": text}).functions[0].name == "f"
    error = refused(text.replace("1024xf32", "268435456xf32").replace("dense", "dense", 1).replace("0000", "0001", 1))
    assert error.where is not None


def test_ten_thousand_functions() -> None:
    text = "\n".join(f"func.func @f{n}(%a: i32) -> i32 {{ return %a : i32 }}" for n in range(10_000))
    assert len(FEATURIZER.parse({"mlir": text}).functions) == 10_000


def test_a_reason_that_is_not_text_is_an_answer() -> None:
    """Bytecode that names a dialect in no UTF-8: the parser says so, and the bindings cannot hand that over."""
    import io

    from iree.compiler import ir

    from featurizers.mlir.bindings import Parser

    file = io.BytesIO()
    ir.Module.parse(SUM, ir.Context()).operation.write_bytecode(file)
    broken = file.getvalue().replace(b"arith\0", b"\xff\xfeith\0")
    with pytest.raises(InputError, match="reason that is not text") as caught:
        Parser().parse(broken)
    assert caught.value.where == "bytecode"
