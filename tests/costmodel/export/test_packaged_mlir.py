"""The packaged MLIR model as C, by the command, compiled: a thousand rows of columns get the library's numbers."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from costmodel.cli.main import main
from costmodel.predictor import Predictor
from costmodel.registry import PRETRAINED
from featurizers.core import Features
from featurizers.mlir import MlirFeaturizer
from featurizers.mlir.columns import COLUMNS
from tests.featurizers.mlir.samples import MATMUL, SAXPY, SUM

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang") or shutil.which("clang-22")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler on this machine")


def rows(count: int) -> np.ndarray:
    """Columns of programs of several lengths, each column then drawn from the programs or scaled by up to 8."""
    featurizer = MlirFeaturizer(in_process=True)
    sizes = (8, 16, 24, 64, 100, 1000)
    texts = [SAXPY.replace("1024", str(n)) for n in sizes] + [SUM.replace("1000", str(n)) for n in sizes] + [MATMUL]
    own = featurizer.features([featurizer.parse({"mlir": text}) for text in texts], profile="znver4").vectors
    rng = np.random.default_rng(0)
    mixed = own[rng.integers(len(own), size=(count, own.shape[1])), np.arange(own.shape[1])]
    scaled = mixed * np.exp2(rng.uniform(-3, 3, mixed.shape)).astype(np.float32)
    return np.where(rng.random(mixed.shape) < 0.3, scaled, mixed).astype(np.float32)


@pytest.mark.parametrize("target", ["cycles", "code_bytes"])
def test_a_thousand_predictions_of_the_compiled_export_are_the_bundles(tmp_path: Path, target: str) -> None:
    assert main(["export", "mlir", "--target", target, "--cpu", "znver4", "--out", str(tmp_path)]) == 0
    name = f"costmodel_{target}_znver4"
    command = [COMPILER or "", "-std=c99", "-O1", "-shared", "-fPIC", f"{name}.c", "-lm", "-o", f"{name}.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    function = getattr(ctypes.CDLL(str(tmp_path / f"{name}.so")), name)
    function.restype = ctypes.c_double
    x = rows(1000)
    got = [function(np.ascontiguousarray(row).ctypes.data_as(ctypes.c_void_p)) for row in x]
    model = Predictor.load(PRETRAINED / "mlir").model("znver4", target)
    wanted = model.answer(Features(x, COLUMNS)).value
    assert len(set(np.round(wanted, 6))) > 500
    np.testing.assert_allclose(got, wanted, rtol=2e-6)
