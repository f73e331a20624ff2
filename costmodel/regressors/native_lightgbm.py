"""Prediction by LightGBM's C library, without importing its Python package.

`import lightgbm` pulls in scipy, and pandas and scikit-learn where they are installed: 1.5 s and 150 MB that a serving
process does not need to walk trees. The model file is LightGBM's own text format, read by LightGBM's own code.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import threading
from functools import cache
from pathlib import Path
from typing import Self
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import read_compressed, write_compressed
from costmodel.regressors.forest import read_forest
from costmodel.regressors.leaf_masks import LeafMasks

_FLOAT32 = 0
_NORMAL = 0
_ROW_MAJOR = 1
_MAX_MODEL_BYTES = 256 << 20
_HEAD_CHARACTERS = 4096
"""Within so many stand the numbers of columns and outputs."""

DETERMINISTIC = {"num_threads": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}
"""Training parameters under which the same data and seed give the same model, bit by bit."""

_UNUSED = re.compile(
    r"^(internal_value|internal_weight|internal_count|leaf_weight|leaf_count|split_gain|tree_sizes)=.*\n", re.MULTILINE
)
_NUMBERS = re.compile(r"^(leaf_value|threshold)=(.*)$", re.MULTILINE)
_END = "end of trees\n"


def compact(model_text: str) -> str:
    """The same model without what prediction does not read, numbers to 9 digits: a fourth of the size compressed.

    Made right after the fit, so that what is evaluated, saved and loaded is one and the same.
    """

    def shortened(match: re.Match[str]) -> str:
        return f"{match[1]}={' '.join(f'{float(number):.9g}' for number in match[2].split())}"

    trees = _UNUSED.sub("", model_text)
    return _NUMBERS.sub(shortened, trees[: trees.index(_END) + len(_END)])


_waiting: WeakSet[NativeBooster] = WeakSet()
_waiting_lock = threading.Lock()


def read_waiting() -> None:
    """Have LightGBM read every model that it has not read yet, so that no question waits for it."""
    while True:
        with _waiting_lock:
            if not _waiting:
                return
            booster = _waiting.pop()
        booster._read()


def _number(model_text: str, name: str) -> int:
    found = re.search(rf"^{name}=([0-9]+)$", model_text[:_HEAD_CHARACTERS], re.MULTILINE)
    if found is None:
        raise ValueError(f"The text of a LightGBM model has a line '{name}=N'. Got {model_text[:40]!r}.")
    return int(found[1])


@cache
def _library() -> ctypes.CDLL:
    spec = importlib.util.find_spec("lightgbm")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The package 'lightgbm' is not installed: pip install lightgbm.")
    folder = Path(next(iter(spec.submodule_search_locations)))
    for name in ("lib_lightgbm.so", "lib_lightgbm.dylib", "lib_lightgbm.dll"):
        for candidate in (folder / "lib" / name, folder / "bin" / name, folder / name):
            if candidate.exists():
                library = ctypes.cdll.LoadLibrary(str(candidate))
                library.LGBM_GetLastError.restype = ctypes.c_char_p
                return library
    raise RuntimeError(f"No LightGBM library in {folder}.")


def _check(status: int) -> None:
    if status != 0:
        raise RuntimeError(f"LightGBM: {_library().LGBM_GetLastError().decode()}")


def read_text(path: Path) -> str:
    """The model's text, as `NativeBooster.save` wrote it. ValueError where it is longer than any model."""
    text = read_compressed(path, _MAX_MODEL_BYTES + 1)
    if len(text) > _MAX_MODEL_BYTES:
        raise ValueError(f"{path.name} holds more than {_MAX_MODEL_BYTES} bytes of model text.")
    return text.decode()


class _OneRow:
    """LightGBM's path for single rows: what the general call sets up each time (half of its time for one row) is set up
    once. It writes into buffers of its own, so one thread at a time may ask it."""

    def __init__(self, handle: ctypes.c_void_p, columns: int, outputs: int):
        self._config = ctypes.c_void_p()
        _check(
            _library().LGBM_BoosterPredictForMatSingleRowFastInit(
                handle,
                ctypes.c_int(_NORMAL),
                ctypes.c_int(0),
                ctypes.c_int(-1),
                ctypes.c_int(_FLOAT32),
                ctypes.c_int32(columns),
                ctypes.c_char_p(b"num_threads=1"),
                ctypes.byref(self._config),
            )
        )
        self._row = np.empty(columns, dtype=np.float32)
        self._out = np.empty(outputs, dtype=np.float64)
        self._arguments = (
            self._config,
            ctypes.c_void_p(self._row.ctypes.data),
            ctypes.byref(ctypes.c_int64()),
            ctypes.c_void_p(self._out.ctypes.data),
        )

    def predict(self, row: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Raw scores, float64 (outputs,)."""
        self._row[:] = row
        _check(_library().LGBM_BoosterPredictForMatSingleRowFast(*self._arguments))
        return self._out.copy()

    def __del__(self) -> None:
        if self._config:
            _library().LGBM_FastConfigFree(self._config)


class NativeBooster:
    """A trained LightGBM model that predicts raw scores on one thread. Safe to share between threads.

    LightGBM reads the text when a score is first asked for, or when `read_waiting` is called: a service has two hundred
    models and is to answer as soon as it is started. Raises ValueError where the text is no model.
    """

    def __init__(self, model_text: str):
        self.model_text = model_text
        self.columns, self.outputs = _number(model_text, "max_feature_idx") + 1, _number(model_text, "num_class")
        self._handle: ctypes.c_void_p | None = None
        self._one: _OneRow | LeafMasks | None = None
        self._lock = threading.Lock()
        with _waiting_lock:
            _waiting.add(self)

    def _read(self) -> ctypes.c_void_p:
        """LightGBM's own object. Raises RuntimeError where LightGBM cannot read the text."""
        with self._lock:
            if self._handle is None:
                handle, trees = ctypes.c_void_p(), ctypes.c_int()
                text = ctypes.c_char_p(self.model_text.encode())
                _check(_library().LGBM_BoosterLoadModelFromString(text, ctypes.byref(trees), ctypes.byref(handle)))
                if self.outputs > 1:  # of many targets, so of many trees
                    self._one = LeafMasks.of(read_forest(self.model_text), self.columns, self.outputs)
                self._handle = handle
            return self._handle

    def predict(self, matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Raw scores float64 (n,), or (n, outputs) of a joined model, of float32 (n, columns).

        Raises ValueError on another number of columns.
        """
        if matrix.shape[1] != self.columns:
            raise ValueError(f"The model has {self.columns} columns. Got {matrix.shape[1]}.")
        handle = self._handle or self._read()
        if len(matrix) == 1:
            with self._lock:
                if self._one is None:
                    self._one = _OneRow(handle, self.columns, self.outputs)
                found = self._one.predict(matrix[0])
                return found if self.outputs == 1 else found[None]
        data = np.ascontiguousarray(matrix, dtype=np.float32)
        out = np.empty(len(data) if self.outputs == 1 else (len(data), self.outputs), dtype=np.float64)
        if not len(data):
            return out
        length = ctypes.c_int64()
        _check(
            _library().LGBM_BoosterPredictForMat(
                handle,
                data.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_int(_FLOAT32),
                ctypes.c_int32(data.shape[0]),
                ctypes.c_int32(data.shape[1]),
                ctypes.c_int(_ROW_MAJOR),
                ctypes.c_int(_NORMAL),
                ctypes.c_int(0),
                ctypes.c_int(-1),
                ctypes.c_char_p(b"num_threads=1"),
                ctypes.byref(length),
                out.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
            )
        )
        return out

    def save(self, path: Path) -> None:
        """LightGBM's text format, compressed (a model is 4-5 times smaller so)."""
        write_compressed(path, self.model_text.encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote. At most 256 MiB of text are read, whatever the file says of itself."""
        return cls(read_text(path))

    def __del__(self) -> None:
        if getattr(self, "_one", None):
            self._one = None
        if getattr(self, "_handle", None):
            _library().LGBM_BoosterFree(self._handle)
