"""What a network asks of any hardware, beside the known devices' predictions: for new devices of own networks.

A device that treats convolutions better than known ones do, or launches kernels dearly, shows it in how its latency
depends on each network's mix of work. Three groups of features, in log space:

    contrasts   each known device's log prediction less their mean
    shares      of the network's time on one known device, by class of kernel
    sizes       work per predicted time, kernels, predicted time, parameters; and how a roofline (Williams et al., 2009)
                divides its time between computing, moving data and launching

Scales are those of the networks of datasets/host_networks, so that one prior per group fits all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from costmodel.fewshot.posterior import Hypers
from costmodel.predictor import Predictor
from costmodel.regressors.base import Array
from featurizers.core import Features, Raw
from featurizers.network.columns import GROUPS, group_of_class

CONTRASTS, SHARES, SIZES = range(3)
_CONTRAST_SCALE, _SHARE_SCALE = 1.6, 0.58
_FLOPS_PER_S, _BYTES_PER_S, _S_PER_KERNEL = 5e10, 1e10, 4e-6
"""Of the roofline: one core of a server, a few times either way."""
_CENTRE = np.array([18.0, 4.3, 0.55, 12.9, 0.49, 0.35, 0.17])
_SPREAD = np.array([0.78, 1.12, 1.71, 1.7, 0.25, 0.16, 0.22]) * math.sqrt(7)
_PRIOR = ((-2.0, 1.5), (-2.5, 1.5), (-2.5, 1.5))
_NOISE = (2 * math.log(0.05), 1.2)
"""Mean and standard deviation of the log variance of each group, and of the log squared noise; set by hand."""
_TAILS = (3.0, 6.0)
_DRAWS = 64


def shares_device(predictor: Predictor, devices: Sequence[str]) -> str:
    """The known device whose times are divided by class of kernel: a measured one where there is one."""
    measured = [name for name in devices if not predictor.devices[name].descriptor.get("simulated")]
    return (measured or list(devices))[0]


def work(predictor: Predictor, device: str, target: str, raws: Sequence[Raw]) -> Array:
    """Shares by class of kernel and logs of sizes, (n, classes + 6). Raises InputError for an input that is none."""
    subjects = [predictor.featurizer.parse(raw) for raw in raws]
    features = predictor.featurizer.features(subjects, profile=predictor.devices[device].profile, names=True)
    costs = predictor.model(device, target).regressor.part_costs(features)
    return np.column_stack([_shares(features, costs), _sizes(features)])


def _shares(features: Features, costs: Array | None) -> Array:
    total = np.zeros((len(features), len(GROUPS)))
    if costs is None or features.parts is None:
        return total
    parts = features.parts
    ids = parts.matrix[:, [column.name for column in features.part_columns].index("op_class")].astype(np.int64)
    np.add.at(total, (parts.owner, group_of_class(ids)[parts.part]), costs[parts.part] * parts.count)
    return np.asarray(total / np.maximum(total.sum(axis=1, keepdims=True), 1e-12))


def _sizes(features: Features) -> Array:
    place = {column.name: i for i, column in enumerate(features.columns)}

    def column(name: str) -> Array:
        return features.vectors[:, place[name]].astype(np.float64)

    moved = column("bytes_in") + column("bytes_weights") + column("bytes_out")
    times = np.column_stack([
        column("flops") / _FLOPS_PER_S, moved / _BYTES_PER_S, np.maximum(column("kernels"), 1) * _S_PER_KERNEL
    ])  # fmt: skip
    logs = [np.log(column("flops") + 1e4), np.log(np.maximum(column("kernels"), 1)), np.log(column("parameters") + 1e3)]
    return np.column_stack([*logs, times / times.sum(axis=1, keepdims=True)])


def design(logs: Array, work: Array) -> tuple[Array, Array, npt.NDArray[np.int64]]:
    """Offset (n,), features (n, p) and the group of each from log predictions (n, d) and `work` (n, k)."""
    offset = logs.mean(axis=1)
    shares, (flops, kernels, parameters), roofline = work[:, : len(GROUPS)], work[:, -6:-3].T, work[:, -3:]
    sizes = np.column_stack([flops - offset, kernels, offset, parameters, roofline])
    blocks = [(logs - offset[:, None]) / _CONTRAST_SCALE, shares / _SHARE_SCALE, (sizes - _CENTRE) / _SPREAD]
    group_of = np.repeat([CONTRASTS, SHARES, SIZES], [block.shape[1] for block in blocks])
    return offset, np.concatenate(blocks, axis=1), group_of


def _hypers() -> Hypers:
    rng = np.random.default_rng(0)
    mean, spread = np.array([*_PRIOR, _NOISE]).T
    values = mean + spread * np.clip(rng.standard_normal((_DRAWS, len(mean))), -2, 2)
    return Hypers(values[:, :-1], values[:, -1], np.resize(np.array(_TAILS), _DRAWS))


HYPERS = _hypers()
PLANNING_VARIANCE = np.exp(np.array([mean for mean, _ in _PRIOR]))
