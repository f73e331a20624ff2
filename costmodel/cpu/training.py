"""The packaged bundle of the `cpu` kind: ``python -m costmodel.cpu.training --data DIR --out DIR``.

One support of servers is shared by all targets. Beside the targets the bundle holds two tables: the catalogue of
measured CPU models, and the factors from which three known scores of a new machine give the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

from costmodel.corpus import Corpus, Labels
from costmodel.cpu.adapt import Adapter
from costmodel.cpu.blend import ScoreBlend
from costmodel.cpu.catalogue import Catalogue
from costmodel.cpu.crossvalidation import target_models
from costmodel.cpu.kernel import Support, own_covariance
from costmodel.cpu.points import points_of_others
from costmodel.cpu.process import merge
from costmodel.cpu.sparecores import HEADLINE, ScoreTable, load_scores
from costmodel.cpu.whatif import ChangeSpread, variants
from costmodel.evaluation.points import write_points
from costmodel.predictor import Device, Predictor
from costmodel.regressors import Array, Estimate
from costmodel.regressors.base import Groups
from costmodel.target_model import TargetModel
from featurizers.core import Features
from featurizers.cpu.columns import COLUMNS, vectors

DEVICE = Device(
    "spare-cores",
    "",
    (),
    {"conditions": "Spare Cores Inspector on the server type's default image; one run per server type"},
)
ATTRIBUTION = (
    "Trained on benchmark scores of cloud server types by Spare Cores (sparecores.com), CC BY-SA 4.0; "
    "derived data (this model's weights and tables) are under the same licence."
)
PACKAGED = (
    *HEADLINE.values(),
    *("stressng_cpu:cores=1", "bw_mem:wr:256.00MB", "bw_mem:rd:16.00MB", "bw_mem:rdwr:256.00MB"),
    *("passmark:CPU_INTEGER_MATH", "passmark:CPU_FLOATINGPOINT_MATH", "passmark:CPU_ENCRYPTION"),
    *("passmark:CPU_COMPRESSION", "passmark:CPU_SORTING", "passmark:CPU_PHYSICS", "passmark:CPU_PRIME"),
    *("passmark:ME_THREADED", "passmark:ME_READ_L", "passmark:SUMM_ME"),
    *("geekbench6:multi:Clang", "geekbench6:single:Clang", "geekbench6:multi:File Compression"),
    *("openssl:sha256", "openssl:AES-256-CBC", "static_web:max_rps:1k", "static_web:max_rps:512k"),
    *("redis:SET:threads=1:pipeline=1", "redis:SET:threads=1:pipeline=64"),
    *("llama_bench:SmolLM-135M.Q4_K_M.gguf:gen:128:cpu", "llama_bench:SmolLM-135M.Q4_K_M.gguf:prompt:128:cpu"),
)
"""Targets with an own model in the bundle; all others are answered by its factors."""

_SEED = 0


def load_corpus(folder: Path) -> Corpus:
    """Spare Cores for `costmodel train`: every tenth CPU model is held out. `ids` are CPU models, the unit of folds."""
    table = load_scores(folder)
    present = {target.name: target for target in table.targets}
    names, code = np.unique(table.cpu_model, return_inverse=True)
    draw = np.random.default_rng(_SEED).permutation(len(names)) % 10
    split = np.array(["train", "validation", "test_unseen"])[np.select([draw == 0, draw == 1], [2, 1], 0)][code]
    chosen = tuple(name for name in PACKAGED if name in present)
    device = Device(DEVICE.name, DEVICE.profile, chosen, DEVICE.descriptor)
    labels = []
    for name in chosen:
        value = table.column(name)
        known = np.flatnonzero(np.isfinite(value))
        labels.append(Labels(device, present[name], known, value[known], np.zeros(len(known))))
    return Corpus(
        name="sparecores",
        kind="cpu",
        raws=[{"sparecores": row} for row in table.rows],
        ids=tuple(str(name) for name in table.cpu_model),
        family=table.cpu_model,
        split=split,
        labels=tuple(labels),
        checksum=table.checksum,
        licence="CC BY-SA 4.0",
        notes={"attribution": ATTRIBUTION},
    )


def train_bundle(folder: Path, out: Path) -> Predictor:
    """Fit on every CPU model, write into the empty folder `out`, and give the predictor."""
    from costmodel import __version__

    table = load_scores(folder)
    features = Features(vectors(table.specs), COLUMNS)
    present = {target.name: target for target in table.targets}
    chosen = [name for name in PACKAGED if name in present]
    y = np.log(np.stack([table.column(name) for name in chosen], axis=1))
    models = target_models(features, y, table.cpu_model, _SEED)
    device = Device(DEVICE.name, DEVICE.profile, tuple(chosen), DEVICE.descriptor)
    predictor = Predictor(
        "cpu",
        "costmodel-cpu",
        __version__,
        {device.name: device},
        {name: present[name] for name in chosen},
        {(device.name, name): model for name, model in zip(chosen, models, strict=True)},
        _card(table) | {"change_spread": asdict(change_spread(models, features, y, table.cpu_model))},
    )
    out.mkdir(parents=True, exist_ok=True)
    _write_tables(table, features, out)
    write_points(out, points_of_others(models, chosen, device, table, y))
    predictor.save(out)
    for path in out.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors writes files that only their owner may read
    return predictor


def _write_tables(table: ScoreTable, features: Features, out: Path) -> None:
    """catalogue and factors, before the manifest that holds everything's checksums."""
    extra = out / "tables"
    extra.mkdir()
    catalogue_of(table, features).save(extra)
    Adapter.fit(features, table, _SEED).save(extra)


def catalogue_of(table: ScoreTable, features: Features) -> Catalogue:
    """The merged rows of a training table, each by its first server, with the mean of their scores."""
    merged = merge(features, table.cpu_model)
    _, first = np.unique(merged.row_of, return_index=True)
    present = {target.name for target in table.targets}
    names = tuple(name for name in PACKAGED if name in present)
    scores = np.exp(merged.mean(np.log(np.stack([table.column(name) for name in names], axis=1))))
    return Catalogue(
        tuple(str(table.cpu_model[i]) for i in first),
        tuple(table.keys[i] for i in first),
        features.vectors[first],
        names,
        scores.astype(np.float32),
    )


def change_spread(models: Sequence[TargetModel], features: Features, y: Array, groups: Groups) -> ChangeSpread:
    """How the errors of machines of unseen CPU models differ, by how far they lie apart; y (n, t), log scores."""
    rng = np.random.default_rng(_SEED)
    regressors = [cast(ScoreBlend, model.regressor) for model in models]
    process = regressors[0].process
    assert process.support is not None
    rows = rng.choice(len(y), min(len(y), _PAIR_ROWS), replace=False)
    points = process.support.scaling.apply(features.take(rows))
    own = own_covariance(points, process.shape).astype(np.float64)
    between = Support(points, process.support.scaling).covariances(points, process.shape).astype(np.float64)
    moved = np.sqrt(np.maximum(own[:, None] + own[None, :] - 2 * between, 0.0))
    other = np.asarray(groups)[rows][:, None] != np.asarray(groups)[rows][None, :]
    moved[~other] = np.inf
    first = np.repeat(np.arange(len(rows)), 2 * _NEAR)
    drawn = rng.integers(0, len(rows), (len(rows), _NEAR))
    second = np.concatenate([np.argsort(moved, axis=1)[:, :_NEAR], drawn], axis=1).reshape(-1)
    apart, ratio = [], []
    for t, (model, regressor) in enumerate(zip(models, regressors, strict=True)):
        point, spread = regressor.out_of_fold[rows], regressor.out_of_fold_spread[rows]
        half = model.calibration.half_width(Estimate(point, spread), np.ones(len(rows), dtype=bool))
        error = y[rows, t] - point
        found = np.abs(error[first] - error[second]) / ((half[first] + half[second]) / 2)
        sound = np.isfinite(found) & np.isfinite(moved[first, second])
        apart.append(moved[first, second][sound])
        ratio.append(found[sound])
    return ChangeSpread.fit(np.concatenate(apart), np.concatenate(ratio), models[0].calibration.coverage)


_PAIR_ROWS = 1500
_NEAR = 8


def _card(table: ScoreTable) -> dict[str, Any]:
    return {
        "data": "Spare Cores",
        "data_checksum": table.checksum,
        "licence": "CC BY-SA 4.0",
        "attribution": ATTRIBUTION,
        "learner": "cpu-blend",
        "seed": _SEED,
        "held_out": "nothing: fitted on every CPU model; its points are of fits that had not seen their CPU model",
        "cpu_models": len(np.unique(table.cpu_model)),
        "servers": len(table.keys),
        "left_out": dict(table.left_out),
        "variants": variants(table.specs),
        "notes": {"scores": "one measurement per server type: noise between machines of one type is not covered"},
    }


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sparecores_servers.parquet and _scores")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle; must not exist")
    args = parser.parse_args()
    if args.out.exists():
        parser.error(f"{args.out} exists")
    predictor = train_bundle(args.data, args.out)
    print(f"{len(predictor.targets)} targets written to {args.out}")


if __name__ == "__main__":
    main()
