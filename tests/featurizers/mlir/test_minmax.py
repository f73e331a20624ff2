"""Maxima, minima and rounding: what each is on a CPU, as llc-22 -O3 made them."""

from __future__ import annotations

import pytest

from featurizers.mlir import MlirFeaturizer, cpu
from featurizers.mlir.body import body_of
from featurizers.mlir.codegen import generate
from featurizers.mlir.legal import work

FEATURIZER = MlirFeaturizer()


def scalar(operation: str, kind: str = "f32") -> str:
    return f"""func.func @f(%a: memref<999x{kind}> {{llvm.noalias}}, %o: memref<999x{kind}> {{llvm.noalias}}) {{
      %zero = arith.constant 0.0 : {kind} %six = arith.constant 6.0 : {kind}
      affine.for %i = 0 to 999 {{
        %x = affine.load %a[%i] : memref<999x{kind}>
        %y = {operation} : {kind}
        affine.store %y, %o[%i] : memref<999x{kind}> }}
      return }}"""


def instructions(operation: str, name: str, kind: str = "f32") -> float:
    """Of the operation alone, beside a load and a store."""
    loop = FEATURIZER.parse({"mlir": scalar(operation, kind)}).loops_on(cpu(name).isa)[0].children[0]
    _, uops = body_of(loop, cpu(name))
    return uops - 2.0


@pytest.mark.parametrize(
    ("operation", "x86", "riscv"),
    [("arith.maximumf %x, %zero", 3, 5), ("arith.maximumf %x, %six", 1, 5), ("arith.minimumf %x, %zero", 1, 5),
     ("math.absf %x", 1, 1), ("math.floor %x", 1, 6), ("arith.maxnumf %x, %six", 1, 1)],
)  # fmt: skip
def test_an_extreme_takes_what_its_constant_needs(operation: str, x86: float, riscv: float) -> None:
    assert instructions(operation, "znver4") == x86
    assert instructions(operation, "cortex-a55") == 1
    assert instructions(operation, "sifive-p670") == riscv


def test_a_maximum_of_halves_is_between_conversions() -> None:
    assert instructions("arith.maximumf %x, %six", "znver4", "f16") == 3
    assert instructions("math.absf %x", "znver4", "f16") == 1


def test_two_extremes_of_halves_stay_scalar_and_one_is_packed() -> None:
    two = scalar("arith.maximumf %m, %zero", "f16").replace("%y =", "%m = arith.minimumf %x, %six : f16 %y =")
    three = two.replace("%m = ", "%n = arith.maximumf %x, %zero : f16 %m = ").replace("minimumf %x", "minimumf %n")
    for text, vectors in ((scalar("arith.maximumf %x, %six", "f16"), True), (three, False)):
        code = generate(FEATURIZER.parse({"mlir": text}).loops_on("x86")[0], cpu("skylake-avx512"))[-1]
        assert (code.vf > 1) is vectors


def test_vectors_of_the_source_have_the_same() -> None:
    text = """func.func @f(%a: memref<16xf32>, %o: memref<16xf32>) {
      %c = arith.constant 0 : index %p = arith.constant 0.0 : f32
      %x = vector.transfer_read %a[%c], %p {in_bounds = [true]} : memref<16xf32>, vector<16xf32>
      %y = math.OP %x : vector<16xf32>
      vector.transfer_write %y, %o[%c] {in_bounds = [true]} : vector<16xf32>, memref<16xf32>
      return }"""
    found = {
        name: work(FEATURIZER.parse({"mlir": text.replace("OP", name)}).loops_on("riscv")[0], cpu("sifive-p670"))
        for name in ("absf", "floor")
    }
    assert found["floor"].passes == 8 * found["absf"].passes
