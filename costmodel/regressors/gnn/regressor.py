"""A graph neural network: trained by PyTorch Geometric, served by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from costmodel.regressors.base import Array, Estimate, Groups, read_json, write_json
from costmodel.regressors.folds import group_folds
from costmodel.regressors.gnn.batch import Encoding, chunks, collate
from costmodel.regressors.onnx_model import OnnxModel
from featurizers.core import Features
from featurizers.errors import InputError

_FOLDS = 6
"""One part in so many of the groups is held out to stop a member early."""
_NODES_AT_ONCE = {"message-passing": 8192, "attention": 768}
_READOUTS = ("sum", "pooled")


class Gnn:
    """Message passing over `Features.graphs`; see `CostNetwork` for what is modelled.

    One network answers for one target, or for many devices at once (`fit_devices`), each with an embedding of its own.
    Numbers after a reload are the same bit for bit; one subject alone and in a batch agree to float32 rounding
    (relative 1e-5).

    members : networks, each stopped on other groups; they are averaged, and what they disagree by widens the spread.
    encoder : 'message-passing', or 'attention' (a Transformer over the nodes) for graphs of tens of nodes.
    readout : 'sum' of a positive cost per node, or 'pooled' for targets that are no sum.
    """

    name = "gnn"
    extras = frozenset({"graphs"})

    def __init__(
        self,
        hidden: int = 64,
        layers: int = 3,
        embedding: int = 16,
        encoder: str = "message-passing",
        readout: str = "sum",
        epochs: int = 60,
        patience: int = 8,
        batch: int = 64,
        learning_rate: float = 3e-3,
        members: int = 1,
    ):
        if encoder not in _NODES_AT_ONCE:
            raise InputError("'encoder'", f"must be one of {', '.join(_NODES_AT_ONCE)}", encoder)
        if readout not in _READOUTS:
            raise InputError("'readout'", f"must be one of {', '.join(_READOUTS)}", readout)
        self.settings: dict[str, Any] = {
            "hidden": hidden,
            "layers": layers,
            "embedding": embedding,
            "encoder": encoder,
            "readout": readout,
            "epochs": epochs,
            "patience": patience,
            "batch": batch,
            "learning_rate": learning_rate,
            "members": members,
        }
        self.devices: tuple[str, ...] = ("",)
        self.networks: list[OnnxModel] = []
        self.spread_line = (0.1, 0.0)
        self.encoding: Encoding | None = None

    def fit(self, features: Features, y: Array, groups: Groups, seed: int, weights: Array | None = None) -> Self:
        return self.fit_devices(features, y[:, None], groups, seed, weights)

    def fit_devices(
        self,
        features: Features,
        y: Array,
        groups: Groups,
        seed: int,
        weights: Array | None = None,
        devices: Sequence[str] = (),
    ) -> Self:
        """As `fit` with `y` (n, devices), NaN where a device was not measured; `devices` are their names."""
        from costmodel.regressors.neural import Examples, Schedule, fit_network
        from costmodel.regressors.onnx_export import quiet

        with quiet():
            from costmodel.regressors.gnn.module import CostNetwork
        self.devices = tuple(devices) or tuple(str(i) for i in range(y.shape[1]))
        self.encoding = Encoding.fit(features)
        graphs, vectors = self.encoding.encode(features)
        w = np.ones(len(y)) if weights is None else weights
        examples = Examples(lambda rows: collate([graphs[i] for i in rows], vectors[rows]), y, w)
        nodes = max(float(np.mean([len(graph.types) for graph in graphs])), 1.0)
        share = 1 / nodes if self.settings["readout"] == "sum" else 1.0
        schedule = Schedule(*(self.settings[name] for name in ("epochs", "patience", "batch", "learning_rate")))
        self.networks, errors = [], []
        members = self.settings["members"]
        for member, held_out in enumerate(group_folds(groups, max(_FOLDS, members), seed)[:members]):
            data = fit_network(CostNetwork, self._arguments(), examples, held_out, schedule, seed + member, share)
            network = OnnxModel(data)
            self.networks.append(network)
            held = features.take(np.flatnonzero(held_out))
            errors.append(np.abs(y[held_out] - self._run([network], held)[0][0]))
        self._fit_spread(features, np.concatenate(errors))
        return self

    def _arguments(self) -> tuple[Any, ...]:
        assert self.encoding is not None
        encoding, chosen = self.encoding, ("hidden", "layers", "embedding", "encoder", "readout")
        return (
            len(encoding.node_types) + 1,
            len(encoding.edge_types) + 1,
            len(encoding.nodes.center),
            len(encoding.vectors.center),
            len(self.devices),
            *(self.settings[name] for name in chosen),
        )

    def _fit_spread(self, features: Features, errors: Array) -> None:
        """Half of the held-out error is there always, half where members disagree as they do on training subjects."""
        error = max(float(np.nanmean(errors)) if np.isfinite(errors).any() else 0.0, 0.005)
        disagreement = float(self._disagreement(self._run(self.networks, features)[0]).mean())
        usable = len(self.networks) > 1 and disagreement > 1e-6
        self.spread_line = (0.5 * error, min(0.5 * error / disagreement, 3.0)) if usable else (error, 0.0)

    @staticmethod
    def _disagreement(points: Array) -> Array:
        return np.asarray(points.std(axis=0))

    def predict(self, features: Features) -> Estimate:
        """Of the only device. InputError where the network was fitted for several: `predict_devices`."""
        if len(self.devices) != 1:
            rule = f"is one of {', '.join(self.devices)}: ask with predict_devices"
            raise InputError("The device", rule)
        estimate = self.predict_devices(features)
        return Estimate(estimate.point[:, 0], estimate.spread[:, 0])

    def predict_devices(self, features: Features) -> Estimate:
        """Point and spread of every device, each float64 (n, devices)."""
        points = self._run(self.networks, features)[0]
        constant, slope = self.spread_line
        return Estimate(points.mean(axis=0), constant + slope * self._disagreement(points))

    def embed(self, features: Features) -> npt.NDArray[np.float32]:
        """What the networks know of each subject beside its columns, float32 (n, members * hidden)."""
        return np.concatenate(list(self._run(self.networks, features)[1]), axis=1)

    def _run(self, networks: Sequence[OnnxModel], features: Features) -> tuple[Array, npt.NDArray[np.float32]]:
        """Log costs (members, n, devices) and embeddings (members, n, hidden)."""
        assert self.encoding is not None, "fit or load first"
        graphs, vectors = self.encoding.encode(features)
        points = np.empty((len(networks), len(graphs), len(self.devices)))
        embeddings = np.empty((len(networks), len(graphs), self.settings["hidden"]), dtype=np.float32)
        for some in chunks(graphs, _NODES_AT_ONCE[self.settings["encoder"]]):
            inputs = collate(graphs[some], vectors[some])
            for member, network in enumerate(networks):
                points[member, some], embeddings[member, some] = network.run(inputs)
        return points, embeddings

    def part_costs(self, features: Features) -> Array | None:
        """None: a node's cost depends on its neighbours, and the whole graph scales the sum."""
        return None

    def save(self, folder: Path) -> None:
        assert self.encoding is not None, "fit first"
        content = {
            "settings": self.settings,
            "devices": list(self.devices),
            "spread_line": list(self.spread_line),
            "encoding": self.encoding.to_json(),
        }
        write_json(folder / "gnn.json", content)
        for member, network in enumerate(self.networks):
            network.save(folder / f"network_{member}.onnx.zst")

    @classmethod
    def load(cls, folder: Path) -> Self:
        content = read_json(folder / "gnn.json")
        loaded = cls(**content["settings"])
        loaded.devices = tuple(content["devices"])
        loaded.spread_line = (content["spread_line"][0], content["spread_line"][1])
        loaded.encoding = Encoding.from_json(content["encoding"])
        members = range(loaded.settings["members"])
        loaded.networks = [OnnxModel.load(folder / f"network_{member}.onnx.zst") for member in members]
        return loaded
