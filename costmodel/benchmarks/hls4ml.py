"""``costmodel benchmark hls4ml``: the wa-hls4ml protocol on designs whose layer dimensions no fit has seen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from costmodel.benchmarks.hls4ml_learners import compare_learners
from costmodel.benchmarks.hls4ml_open import open_rows
from costmodel.benchmarks.hls4ml_scores import r_squared, smape
from costmodel.benchmarks.rule4ml_side import compare_rule4ml
from costmodel.hls4ml.answers import TargetAnswer
from costmodel.hls4ml.forms import HLS_TARGETS
from costmodel.hls4ml.model import HlsModel
from costmodel.hls4ml.predictor import DEVICE, HlsPredictor
from costmodel.hls4ml.rows import LabelledDesign, find_folder, load_designs
from costmodel.hls4ml.success import area_under_curve
from costmodel.regressors import Array, group_folds
from featurizers.core import Features
from featurizers.hls4ml import HlsFeaturizer

_FOLDS = 10
_SEED = 0
_BULK = 3000
_CSYNTH = {
    "lut": "lut_csynth",
    "ff": "ff_csynth",
    "dsp": "dsp_csynth",
    "bram": "bram_csynth",
    "cycles": "cycles_max",
    "interval": "interval",
}
_FILES = {
    "dense1": _CSYNTH,
    "dense23": {
        "lut": "lut_vsynth",
        "ff": "ff_vsynth",
        "dsp": "dsp_vsynth",
        "bram": "bram_vsynth",
        "cycles": "cycles_max",
    },
    "units": _CSYNTH,
}
Rows = list[dict[str, Any]]


@dataclass(slots=True)
class _Held:
    """Answers of models that never saw a design's layer dimensions: per target (n,), NaN where not asked."""

    value: dict[str, Array]
    low: dict[str, Array]
    high: dict[str, Array]
    inside: npt.NDArray[np.bool_]
    success: Array

    @classmethod
    def empty(cls, n: int) -> _Held:
        value, low, high = ({name: np.full(n, np.nan) for name in HLS_TARGETS} for _ in range(3))
        return cls(value, low, high, np.zeros(n, dtype=bool), np.full(n, np.nan))

    def store(self, rows: npt.NDArray[np.int64], answers: Mapping[str, TargetAnswer]) -> None:
        for name, answer in answers.items():
            self.value[name][rows], self.low[name][rows], self.high[name][rows] = answer.value, answer.low, answer.high


def run(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """Cross-validation by layer dimensions over the files found in ``data`` or ``mirror/hls4ml``."""
    designs = load_designs(find_folder(data, mirror))
    featurizer = HlsFeaturizer()
    subjects = [featurizer.parse(design.raw) for design in designs]
    features = featurizer.features(subjects)
    held = cross_validate(designs, features, rounds=120)
    plain = cross_validate(designs, features, rounds=0)
    rows, summary = _accuracy(designs, held, plain)
    rows += _published(find_folder(data, mirror))
    rows += _unseen_kinds(designs, features, summary)
    rows += compare_learners(designs, subjects, _FILES, smape, _SEED)
    rows += open_rows(_SEED)
    model = HlsModel(rounds=120).fit(designs, features, _SEED)
    rows.append(_speed(model, designs, summary))
    rows += compare_rule4ml(model, summary, designs, held.value)
    columns = dict.fromkeys(key for row in rows for key in row)
    return {"benchmark": "hls4ml", "rows": [{c: row.get(c) for c in columns} for row in rows], "summary": summary}


def cross_validate(designs: Sequence[LabelledDesign], features: Features, rounds: int) -> _Held:
    """Each design answered by a model fitted to the designs of other layer dimensions."""
    groups = np.array([design.group for design in designs])
    held = _Held.empty(len(designs))
    for test_mask in group_folds(groups, _FOLDS, _SEED):
        train, test = np.flatnonzero(~test_mask), np.flatnonzero(test_mask)
        if len(train) == 0 or len(test) == 0:
            continue
        model = HlsModel(rounds=rounds).fit([designs[i] for i in train.tolist()], features.take(train), _SEED)
        asked = features.take(test)
        held.store(test, model.answer(asked))
        held.inside[test] = [not reasons for reasons in model.reasons(asked)]
        held.success[test] = model.synthesises(asked)
    return held


def _labels(designs: Sequence[LabelledDesign], file: str, target: str) -> tuple[npt.NDArray[np.int64], Array]:
    rows = [i for i, design in enumerate(designs) if design.file == file and target in design.labels]
    return np.array(rows, dtype=np.int64), np.array([designs[i].labels[target] for i in rows], dtype=np.float64)


def _accuracy(designs: Sequence[LabelledDesign], held: _Held, plain: _Held) -> tuple[Rows, dict[str, float]]:
    rows: Rows = []
    summary: dict[str, float] = {}
    covered: list[npt.NDArray[np.bool_]] = []
    for file, targets in _FILES.items():
        for short, name in targets.items():
            at, y = _labels(designs, file, name)
            if len(at) == 0:
                continue
            row = _score(file, short, y, held, at, name)
            row["smape_closed_form"] = round(smape(y, plain.value[name][at]), 3)
            rows.append(row)
            if file != "units":
                summary[f"smape_{file}_{short}"], summary[f"r2_{file}_{short}"] = row["smape"], row["r2"]
                covered.append(_is_covered(y, held, at, name))
    summary["coverage"] = round(float(np.concatenate(covered).mean()), 4)
    tried = np.array([i for i, design in enumerate(designs) if design.file == "dense1"])
    success = np.array([designs[i].success for i in tried])
    if len(tried) and not success.all():
        summary["success_auc"] = round(area_under_curve(held.success[tried], success), 4)
        rows.append(
            {"subset": "dense1", "target": "synthesis succeeds", "n": len(tried), "auc": summary["success_auc"]}
        )
    return rows, summary


def _score(file: str, short: str, y: Array, held: _Held, at: npt.NDArray[np.int64], name: str) -> dict[str, Any]:
    predicted = held.value[name][at]
    return {
        "subset": file,
        "target": short,
        "n": len(at),
        "smape": round(smape(y, predicted), 3),
        "r2": round(r_squared(y, predicted), 4),
        "rmse": round(float(np.sqrt(np.mean((y - predicted) ** 2))), 2),
        "covered": round(float(_is_covered(y, held, at, name).mean()), 3),
        "width": round(float(np.median((held.high[name][at] + 1) / (held.low[name][at] + 1))), 2),
        "in_domain": round(float(held.inside[at].mean()), 3),
    }


def _is_covered(y: Array, held: _Held, at: npt.NDArray[np.int64], name: str) -> npt.NDArray[np.bool_]:
    return np.asarray((y >= held.low[name][at]) & (y <= held.high[name][at]))


def _unseen_kinds(designs: Sequence[LabelledDesign], features: Features, summary: dict[str, float]) -> Rows:
    """Deeper, wider, other layers: trained without them, do the intervals still hold?"""
    rows: Rows = []
    covered_all: list[npt.NDArray[np.bool_]] = []
    for label, is_test, is_train in _kinds(designs, features):
        train, test = np.flatnonzero(is_train), np.flatnonzero(is_test)
        if len(train) < 50 or len(test) < 5:
            continue
        model = HlsModel(rounds=120).fit([designs[i] for i in train.tolist()], features.take(train), _SEED)
        held = _Held.empty(len(designs))
        held.store(test, model.answer(features.take(test)))
        held.inside[test] = [not reasons for reasons in model.reasons(features.take(test))]
        for file, targets in _FILES.items():
            for short, name in targets.items():
                at, y = _labels(designs, file, name)
                chosen = np.isin(at, test)
                if chosen.sum() >= 5:
                    rows.append(_score(f"{file}: {label}", short, y[chosen], held, at[chosen], name))
                    covered_all.append(_is_covered(y[chosen], held, at[chosen], name))
    if covered_all:
        summary["coverage_unseen_kinds"] = round(float(np.concatenate(covered_all).mean()), 4)
    return rows


def _kinds(
    designs: Sequence[LabelledDesign], features: Features
) -> Iterator[tuple[str, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    file = np.array([design.file for design in designs])
    depth = features.column("matrix_layers")
    largest = features.column("largest_matrix")
    deep = (file == "dense23") & (depth >= 3)
    yield "3 layers, trained on 1 and 2", deep, ~deep & (file != "units")
    wide = (file == "dense1") & (largest > 30_000)
    yield "over 30,000 products, trained below", wide, (file == "dense1") & ~wide
    yield "other layers, trained on dense", file == "units", file != "units"
    yield "2 and 3 layers, trained on 1 (as packaged)", file == "dense23", file != "dense23"
    yield "1 layer, trained on 2 and 3", file == "dense1", file == "dense23"


def _speed(model: HlsModel, designs: Sequence[LabelledDesign], summary: dict[str, float]) -> dict[str, Any]:
    """Raw input to all targets with intervals, one core, in bulk."""
    predictor = HlsPredictor(model)
    raws = [designs[i % len(designs)].raw for i in range(_BULK)]
    predictor.predict(raws[:100], [DEVICE])
    started = time.process_time()
    predictor.predict(raws, [DEVICE])
    seconds = time.process_time() - started
    summary["designs_per_s"] = round(_BULK / seconds, 1)
    return {
        "subset": "speed",
        "target": f"{len(HLS_TARGETS)} targets from raw input",
        "n": _BULK,
        "designs_per_s": summary["designs_per_s"],
    }


def _published(folder: Path) -> Rows:
    """What earlier predictors published on their own test sets: other designs, not comparable row by row."""
    path = folder / "published_results.parquet"
    if not path.is_file():
        return []
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path).to_pylist()
    chosen = [
        row for row in table if row["split"] == "test" and row["cohort"] in ("All", "2_layer", "2layer", "3layer")
    ]
    return [
        {
            "subset": f"published, {row['paper']} {row['cohort']}",
            "target": f"{row['target']} by {row['model']}",
            "n": row["n"],
            "smape": row["smape"],
            "r2": row["r2"],
        }
        for row in chosen
    ]
