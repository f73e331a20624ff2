"""The exported C gives what the library gives."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel.calibration import Calibration
from costmodel.cli.main import main
from costmodel.domain import Domain
from costmodel.export import EXPORTABLE, c_name, column_list, formula, header, source
from costmodel.predictor import Predictor
from costmodel.regressors.forest import read_forest
from costmodel.regressors.gradient_boosting import GradientBoosting
from costmodel.target_model import TargetModel
from featurizers.core import Column, Features
from featurizers.errors import InputError, UnknownNameError
from tests.toy_kind import BOX

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang") or shutil.which("clang-22")
needs_cc = pytest.mark.skipif(COMPILER is None, reason="no C compiler on this machine")


def rows(count: int, seed: int) -> np.ndarray:
    """Two columns over six decades, some missing, some 0."""
    rng = np.random.default_rng(seed)
    x = np.exp(rng.uniform(0, 14, (count, 2))).astype(np.float32)
    x[rng.random((count, 2)) < 0.05] = np.nan
    x[rng.random((count, 2)) < 0.05] = 0.0
    return x


@pytest.fixture(scope="module")
def boosted() -> GradientBoosting:
    x = rows(600, seed=0)
    y = np.log1p(np.nan_to_num(x[:, 0]) * 3 + np.nan_to_num(x[:, 1]))
    columns = (Column("volume", "1", "size"), Column("layers", "1", "size"))
    groups = np.array([f"g{i}" for i in range(600)])
    return GradientBoosting(rounds=40, members=2).fit(Features(x, columns), y, groups, seed=0)


@pytest.fixture
def predictor(boosted: GradientBoosting, box_training: tuple[Path, object]) -> Predictor:
    found = Predictor.load(box_training[0])
    features = Features(rows(50, seed=1), BOX.featurizer().columns)
    model = TargetModel(boosted, Calibration(0.9, (), (1.0,), shift=0.125), Domain.fit(features))
    found._models = dict.fromkeys(found._models, model)
    return found


def compiled(folder: Path, name: str, text: str, head: str) -> ctypes.CDLL:
    (folder / f"{name}.c").write_text(text)
    (folder / f"{name}.h").write_text(head)
    library = folder / f"{name}.so"
    assert COMPILER is not None
    command = [COMPILER, "-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", f"{name}.c", "-lm"]
    subprocess.run([*command, "-o", str(library)], cwd=folder, check=True)
    return ctypes.CDLL(str(library))


@needs_cc
def test_a_thousand_predictions_are_equal_to_the_last_bit_but_for_exp(predictor: Predictor, tmp_path: Path) -> None:
    found = formula(predictor, "slow")
    library = compiled(tmp_path, c_name(found), source(found), header(found))
    function = getattr(library, c_name(found))
    function.restype, function.argtypes = ctypes.c_double, [ctypes.POINTER(ctypes.c_float)]
    x = rows(1000, seed=2)
    ours = [function(row.ctypes.data_as(ctypes.POINTER(ctypes.c_float))) for row in x]
    model = predictor.model("slow", "latency_ns")
    theirs = np.exp(model.regressor.predict(Features(x, predictor.featurizer.columns)).point + model.calibration.shift)
    np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    names = (ctypes.c_char_p * 2).in_dll(library, f"{c_name(found)}_columns")
    assert [name.decode() for name in names if name] == ["volume", "layers"]


@needs_cc
def test_counts_and_constants_are_written_too(predictor: Predictor, tmp_path: Path) -> None:
    found = formula(predictor, "slow")
    counted = replace(found, any=found.forests[0], base="volume", constants={"layers": 7.0}, target="spills")
    library = compiled(tmp_path, c_name(counted), source(counted), header(counted))
    row = (ctypes.c_float * 2)(1000.0, 0.0)
    getattr(library, f"{c_name(counted)}_constants")(row)
    assert list(row) == [1000.0, 7.0]
    function = getattr(library, c_name(counted))
    function.restype, function.argtypes = ctypes.c_double, [ctypes.POINTER(ctypes.c_float)]
    assert function(row) == np.round(function(row)) > 0


def test_the_column_list_names_every_column_and_its_constant(predictor: Predictor) -> None:
    found = replace(formula(predictor, "fast"), constants={"layers": 7.0})
    lines = [line.split("\t") for line in column_list(found).splitlines()]
    assert lines[0] == ["column", "name", "unit", "group", "value"]
    assert lines[1:] == [["0", "volume", "1", "size", ""], ["1", "layers", "1", "size", "7"]]


def test_what_is_not_made_of_trees_is_refused_by_name(box_training: tuple[Path, object]) -> None:
    plain = Predictor.load(box_training[0])
    with pytest.raises(InputError, match="has the learner 'roofline'; trees can be exported of lightgbm, mlir-boost"):
        formula(plain, "slow")
    with pytest.raises(UnknownNameError, match="device 'slwo'"):
        formula(plain, "slwo")
    assert set(EXPORTABLE) == {"lightgbm", "mlir-boost"}


def test_a_tree_of_one_leaf_is_a_constant() -> None:
    forest = read_forest("tree\n\nTree=0\nnum_leaves=1\nnum_cat=0\nleaf_value=2.5\nend of trees\n")
    assert (forest.roots, forest.leaf) == ([-1], [2.5])
    with pytest.raises(ValueError, match="numerical splits"):
        read_forest("tree\n\nTree=0\nnum_leaves=2\nnum_cat=1\nend of trees\n")


def test_the_command_refuses_what_is_not_made_of_trees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "network", "--device", "xeon-emr-ort-fp32-b1", "--out", str(tmp_path)]) == 2
    assert "kernel-sum" in capsys.readouterr().err
