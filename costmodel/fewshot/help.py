"""HELP, re-implemented: hardware-adaptive latency prediction by meta-learning (Lee et al., NeurIPS 2021).

A device is embedded by its latencies on ten reference architectures (section 3.2); an inference network turns the
embedding into a modulation z of the predictor's last layers (3.3); a few gradient steps with learned step sizes adapt
it to the samples (3.1, Meta-SGD, second order); the answer is the mean over draws of z. Settings are the defaults of
the paper's code: 100 hidden units, 2,000 episodes of 8 devices, 10 samples, 200 queries, 2 steps, Adam at 1e-4.

As there, the episode that is kept is the best one on validation devices, where there are any. One difference: latency
is scaled by the measurements at hand (references and samples) and not by the range of the target's whole pool, which
nobody has. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F  # noqa: N812

from costmodel.evaluation.metrics import spearman
from costmodel.fewshot.help_encoding import GRAPH_FEATURES, encode
from costmodel.fewshot.training import KnownDevice
from costmodel.regressors.base import Array, read_json, write_json
from featurizers.network.nas_physics import OpIndices, Space, space_of

REFERENCES = {
    "nasbench201": (11982, 431, 55, 9, 14451, 8636, 9881, 13479, 6196, 1462),
    "fbnet": (3328, 3790, 3313, 890, 3052, 2538, 1640, 2514, 457, 2100),
    "ofa": (1316, 1587, 1621, 1636, 1980, 2329, 2487, 3355, 3740, 4948),
}
"""The published reference architectures, as rows of the tables."""


def references_of(space: str, architectures: int) -> Rows:
    """The published ones where the table has them, else ten rows spread over a table of so many `architectures`."""
    published = np.array(REFERENCES[space])
    if published.max() < architectures:
        return published
    return np.linspace(0, architectures - 1, len(published)).astype(np.int64)


_LOW, _HIGH = 0.05, 0.95
_VALIDATE_EVERY = 50
_GRAPH_INIT = 0.05
Rows = npt.NDArray[np.int64]
Params = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class HelpSettings:
    """Defaults of the paper's code."""

    hidden: int = 100
    episodes: int = 2000
    devices: int = 8
    samples: int = 10
    queries: int = 200
    steps: int = 2
    meta_rate: float = 1e-4
    step_size: float = 1e-3
    kl_weight: float = 0.1
    z_scale: float = 0.01
    draws: int = 10


class HelpPredictor(nn.Module):  # type: ignore[misc]
    """Normalised latency of one batch of architectures on one device."""

    def __init__(self, features: int, graph: bool, references: int, hidden: int):
        super().__init__()
        layers = 4 if graph else 2
        sizes = [features] + [hidden] * layers
        self.encoder = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(sizes)])
        self.hardware = nn.ModuleList([nn.Linear(references, hidden), nn.Linear(hidden, hidden)])
        self.head = nn.ModuleList([nn.Linear(2 * hidden, 2 * hidden), nn.Linear(2 * hidden, 2 * hidden)])
        self.last = nn.Linear(2 * hidden, 1)
        if graph:
            for layer in self.encoder:
                nn.init.uniform_(layer.weight, -_GRAPH_INIT, _GRAPH_INIT)

    def forward(self, x: Tensor, adjacency: Tensor | None, embedding: Tensor) -> Tensor:
        """x : (n, k), or (n, nodes, k) with one (nodes, nodes) adjacency, whose last node is read; embedding :
        (references,). Returns (n,)."""
        for depth, layer in enumerate(self.encoder, 1):
            if adjacency is not None:
                x = (adjacency[-1] if depth == len(self.encoder) else adjacency) @ x
            x = F.relu(layer(x))
        for layer in self.hardware:
            embedding = F.relu(layer(embedding))
        x = torch.cat([x, embedding.expand(len(x), -1)], dim=-1)
        for layer in self.head:
            x = F.relu(layer(x))
        return torch.as_tensor(self.last(x))[:, 0]


class HelpModulator(nn.Module):  # type: ignore[misc]
    """Embedding -> mean and scale of z: a factor per input of the last three layers, and a shift of each one's bias."""

    def __init__(self, references: int, hidden: int):
        super().__init__()
        self.size = 3 * (2 * hidden + 1)
        self.layers = nn.Sequential(nn.Linear(references, 10), nn.ReLU(), nn.Linear(10, 2 * self.size))

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, each (..., 3 * (2 * hidden + 1))."""
        out = self.layers(embedding)
        return out[..., : self.size], F.softplus(out[..., self.size :]) + 1e-6


class Help:
    """Meta-trained on known devices of one space; ranks any architecture of it for a new device."""

    def __init__(self, space: Space, references: Rows, settings: HelpSettings, seed: int = 0):
        torch.manual_seed(seed)
        self.space, self.references, self.settings = space, references, settings
        features, adjacency = encode(space.name, space.sample(1, np.random.default_rng(0)))
        graph = adjacency is not None
        width = GRAPH_FEATURES if graph else features.shape[1]
        self.predictor = HelpPredictor(width, graph, len(references), settings.hidden)
        self.modulator = HelpModulator(len(references), settings.hidden)
        self.rates = nn.ParameterDict({
            name.replace(".", "/"): nn.Parameter(torch.full_like(value, settings.step_size))
            for name, value in self.predictor.named_parameters()
        })  # fmt: skip

    def meta_train(
        self, ops: OpIndices, devices: Sequence[KnownDevice], pool: Rows, seed: int = 0,
        progress: Callable[[int, float], None] | None = None, validation: Sequence[KnownDevice] = (),
        query: Rows | None = None,
    ) -> None:  # fmt: skip
        """Episodes over `devices`. pool : rows of the table from which samples and queries are drawn. validation :
        devices on whose `query` rows (default: the pool) the weights are judged; the best ones are kept."""
        best, kept = -np.inf, None
        s, rng = self.settings, np.random.default_rng(seed)
        torch.manual_seed(seed)
        optimiser = torch.optim.Adam([*self._weights()], lr=s.meta_rate)
        features, adjacency = encode(self.space.name, ops)
        for episode in range(s.episodes):
            chosen = rng.permutation(len(devices))[: s.devices]
            rows = np.stack(
                [rng.permutation(_trimmed(devices[i].latency_ms, pool))[: s.samples + s.queries] for i in chosen]
            )
            latency = np.stack([devices[i].latency_ms for i in chosen])
            embedding, target = self._scaled(latency, rows, s.samples)
            x = torch.from_numpy(features[rows])
            edges = None if adjacency is None else torch.from_numpy(adjacency)
            loss = self._episode_loss(x, edges, embedding, target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if progress is not None:
                progress(episode, float(loss.detach()))
            if validation and (episode + 1) % _VALIDATE_EVERY == 0:
                found = np.mean(
                    [self._rank_quality(ops, one, pool, pool if query is None else query, seed) for one in validation]
                )
                if found > best:
                    best, kept = float(found), [value.detach().clone() for value in self._weights()]
        if kept is not None:
            with torch.no_grad():
                for value, good in zip(self._weights(), kept, strict=True):
                    value.copy_(good)

    def _rank_quality(self, ops: OpIndices, device: KnownDevice, pool: Rows, query: Rows, seed: int) -> float:
        """Spearman on a device's `query` after `samples` random measurements from its pool."""
        state, latency = torch.get_rng_state(), device.latency_ms
        drawn = np.random.default_rng(seed).choice(_trimmed(latency, pool), self.settings.samples, replace=False)
        asked = _trimmed(latency, query)
        ranked = self.rank(ops[asked], latency[self.references], ops[drawn], latency[drawn], seed)
        torch.set_rng_state(state)
        return spearman(latency[asked], ranked)

    def save(self, folder: Path) -> None:
        """help.json and weights.safetensors into an existing folder."""
        from safetensors.torch import save_file

        parts = {"predictor": self.predictor, "modulator": self.modulator, "rates": self.rates}
        weights = {f"{part}.{name}": v for part, module in parts.items() for name, v in module.state_dict().items()}
        save_file(weights, folder / "weights.safetensors")
        content = {"space": self.space.name, "references": self.references.tolist(), "settings": asdict(self.settings)}
        write_json(folder / "help.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        from safetensors.torch import load_file

        content, weights = read_json(folder / "help.json"), load_file(folder / "weights.safetensors")
        learner = cls(
            space_of(content["space"]), np.array(content["references"]), HelpSettings(**content["settings"])
        )  # fmt: skip
        for part in ("predictor", "modulator", "rates"):
            own = {k.removeprefix(f"{part}."): v for k, v in weights.items() if k.startswith(f"{part}.")}
            getattr(learner, part).load_state_dict(own)
        return learner

    def rank(self, ops: OpIndices, reference_ms: Array, sampled: OpIndices, sampled_ms: Array, seed: int = 0) -> Array:
        """Normalised latency (n,) of `ops` after adapting to the references' and the samples' latencies."""
        torch.manual_seed(seed)
        latency = np.concatenate([reference_ms, sampled_ms])
        low, high = latency.min(), latency.max()
        embedding = torch.from_numpy(_min_max(reference_ms, reference_ms.min(), reference_ms.max()))
        target = torch.from_numpy(_LOW + (_HIGH - _LOW) * _min_max(sampled_ms, low, high))
        samples, query = self._tensors(sampled), self._tensors(ops)
        total = torch.zeros(len(ops))
        for _ in range(self.settings.draws):
            params, _ = self._modulated(embedding)
            adapted = self._adapt(params, *samples, embedding, target)
            with torch.no_grad():
                total += functional_call(self.predictor, adapted, (*query, embedding))
        return np.asarray((total / self.settings.draws).numpy(), dtype=np.float64)

    def _weights(self) -> list[nn.Parameter]:
        return [*self.predictor.parameters(), *self.modulator.parameters(), *self.rates.parameters()]

    def _tensors(self, ops: OpIndices) -> tuple[Tensor, Tensor | None]:
        features, adjacency = encode(self.space.name, ops)
        return torch.from_numpy(features), None if adjacency is None else torch.from_numpy(adjacency)

    def _scaled(self, latency: Array, rows: Rows, samples: int) -> tuple[Tensor, Tensor]:
        """Embeddings (t, references) in 0..1 and targets (t, n) scaled by what a user would have measured."""
        reference = latency[:, self.references]
        drawn = np.take_along_axis(latency, rows, axis=1)
        measured = np.concatenate([reference, drawn[:, :samples]], axis=1)
        low, high = measured.min(axis=1, keepdims=True), measured.max(axis=1, keepdims=True)
        own = _min_max(reference, reference.min(axis=1, keepdims=True), reference.max(axis=1, keepdims=True))
        return torch.from_numpy(own), torch.from_numpy(_LOW + (_HIGH - _LOW) * _min_max(drawn, low, high))

    def _episode_loss(self, x: Tensor, edges: Tensor | None, embedding: Tensor, target: Tensor) -> Tensor:
        n = self.settings.samples

        def task(x: Tensor, embedding: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
            params, divergence = self._modulated(embedding)
            adapted = self._adapt(params, x[:n], edges, embedding, target[:n])
            answer = functional_call(self.predictor, adapted, (x[n:], edges, embedding))
            return F.mse_loss(answer, target[n:]), divergence

        loss, divergence = vmap(task, randomness="different")(x, embedding, target)
        return torch.as_tensor(loss.mean() + self.settings.kl_weight * divergence.mean())

    def _modulated(self, embedding: Tensor) -> tuple[Params, Tensor]:
        """The predictor's weights for a device, z drawn at random; and z's divergence from a standard normal."""
        mean, deviation = self.modulator(embedding)
        z = mean + deviation * torch.randn_like(mean)
        divergence = (0.5 * (mean**2 + deviation**2 - 1) - deviation.log()).sum()
        params: Params = dict(self.predictor.named_parameters())
        width = 2 * self.settings.hidden
        for i, layer in enumerate(("head.0", "head.1", "last")):
            factor, shift = z[i * width : (i + 1) * width], z[3 * width + i]
            params[f"{layer}.weight"] = params[f"{layer}.weight"] * (1 + self.settings.z_scale * factor)
            params[f"{layer}.bias"] = params[f"{layer}.bias"] + self.settings.z_scale * shift
        return params, divergence

    def _adapt(self, params: Params, x: Tensor, edges: Tensor | None, embedding: Tensor, target: Tensor) -> Params:
        def loss(params: Params) -> Any:
            return F.mse_loss(functional_call(self.predictor, params, (x, edges, embedding)), target)

        for _ in range(self.settings.steps):
            slope = grad(loss)(params)
            params = {name: value - self.rates[name.replace(".", "/")] * slope[name] for name, value in params.items()}
        return params


def _min_max(values: Array, low: Array | float, high: Array | float) -> npt.NDArray[np.float32]:
    return np.asarray((values - low) / np.maximum(np.asarray(high) - low, 1e-12), dtype=np.float32)


def _trimmed(latency_ms: Array, pool: Rows) -> Rows:
    order = pool[np.argsort(latency_ms[pool], kind="stable")]
    return order[int(0.1 * len(order)) : int(0.9 * len(order))]
