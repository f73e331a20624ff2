"""A small labelled set in the data set's schema: element-wise loops of many lengths and depths, labels by a formula."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from costmodel.predictor import Predictor
from costmodel.training.run import TrainRequest, train

CPUS = ("skylake-avx512", "cortex-a55")
FAMILIES = [f"family{n}" for n in range(9)]


def text_of(length: int, chain: int) -> str:
    """A loop over `length` elements with `chain` additions each."""
    body = "\n".join(f"    %{n + 1} = arith.addf %{n}, %s : f32" for n in range(chain))
    return f"""func.func @f(%A: memref<{length}xf32>, %B: memref<{length}xf32>, %s: f32) {{
  affine.for %i = 0 to {length} {{
    %0 = affine.load %A[%i] : memref<{length}xf32>
{body}
    affine.store %{chain}, %B[%i] : memref<{length}xf32>
  }}
  return
}}
"""


def write(folder: Path) -> Path:
    programs: dict[str, list[object]] = {k: [] for k in ("program_id", "family", "group", "variant", "text", "split")}
    labels: dict[str, list[object]] = {
        k: [] for k in ("program_id", "cpu", "instructions", "cycles", "register_spills", "code_bytes")
    }
    for number in range(180):
        length, chain = 40 + 37 * (number // 3), 1 + number % 12
        split = ("train", "train", "train", "train", "validation", "test_seen")[number % 6]
        family = FAMILIES[number % 8] if number % 17 else FAMILIES[8]
        row = (f"p{number}", family, f"g{number // 3}", json.dumps({"chain": chain}), text_of(length, chain))
        values = (*row, "test_unseen" if family == FAMILIES[8] else split)
        for key, value in zip(programs, values, strict=True):
            programs[key].append(value)
        for cpu in CPUS:
            slow = 3 if cpu == "cortex-a55" else 1
            spills = max(chain - 8, 0)
            for key, value in zip(
                labels, (f"p{number}", cpu, 20 + 3 * chain * slow, length * chain * slow / 4, spills, 99), strict=True
            ):
                labels[key].append(value)
    pq.write_table(pa.table(programs), folder / "programs.parquet")
    pq.write_table(pa.table(labels), folder / "labels.parquet")
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("mlir_programs"))


@pytest.fixture(scope="session")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle trained on it, in a few seconds."""
    folder = tmp_path_factory.mktemp("bundle")
    request = TrainRequest("mlir", data, out=folder, track=False, parameters={"rounds": 60, "min_leaf": 3})
    train(request, log=lambda _: None)
    return folder


@pytest.fixture
def predictor(bundle: Path) -> Predictor:
    return Predictor.load(bundle)
