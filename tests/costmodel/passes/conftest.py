"""A model of MLIR programs that needs no training: the estimate of the code."""

from __future__ import annotations

import numpy as np
import pytest

from costmodel.calibration import Calibration
from costmodel.domain import Domain
from costmodel.mlir.estimate import CodeEstimate
from costmodel.passes import CostModel
from costmodel.prediction import Target
from costmodel.predictor import Device, Predictor
from costmodel.target_model import TargetModel

MATMUL = """
func.func @matmul(%a: memref<64x96xf32> {llvm.noalias}, %b: memref<96x48xf32>, %c: memref<64x48xf32>) {
  %zero = arith.constant 0.0 : f32
  affine.for %i = 0 to 64 {
    affine.for %j = 0 to 48 {
      %sum = affine.for %k = 0 to 96 iter_args(%acc = %zero) -> (f32) {
        %x = affine.load %a[%i, %k] : memref<64x96xf32>
        %y = affine.load %b[%k, %j] : memref<96x48xf32>
        %p = arith.mulf %x, %y : f32
        %q = arith.addf %acc, %p : f32
        affine.yield %q : f32
      }
      affine.store %sum, %c[%i, %j] : memref<64x48xf32>
    }
  }
  return
}
"""


@pytest.fixture(scope="session")
def estimate() -> CostModel:
    pytest.importorskip("iree.compiler", reason="parsing MLIR needs iree-base-compiler")
    from featurizers.mlir import MlirFeaturizer

    featurizer = MlirFeaturizer(in_process=True)
    features = featurizer.features([featurizer.parse({"mlir": MATMUL})], profile="znver4").take(np.zeros(8, int))
    model = TargetModel(CodeEstimate("cycles"), Calibration(0.9, (), (1.0,)), Domain.fit(features))
    device = Device("znver4", "znver4", ("cycles",), {})
    targets = {"cycles": Target("cycles", "cycles")}
    predictor = Predictor("mlir", "estimate", "0", {"znver4": device}, targets, {("znver4", "cycles"): model}, {})
    return CostModel(predictor, "znver4")
