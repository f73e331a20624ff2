"""The group-attention network in torch; imported for training only."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn


class GroupAttention(nn.Module):  # type: ignore[misc]
    """A token per group of columns, self-attention among the groups, one head of outputs over their mean.

    After NCPP (arXiv 2407.03385, section 4: grouped features, attention within and between groups). x float32
    (n, 2 c): standardised columns, group by group, then as many flags of what is missing. Gives (n, t).
    """

    def __init__(self, sizes: tuple[int, ...], width: int, outputs: int):
        super().__init__()
        self.sizes, self.width, self.count = sizes, width, outputs
        self.embed = nn.ModuleList(nn.Linear(2 * size, width) for size in sizes)
        self.place = nn.Parameter(torch.randn(len(sizes), width) * 0.1)
        self.qkv, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        columns = sum(self.sizes)
        tokens, start = [], 0
        for size, embed in zip(self.sizes, self.embed, strict=True):
            own = torch.cat([x[:, start : start + size], x[:, columns + start : columns + start + size]], dim=1)
            tokens.append(torch.nn.functional.gelu(embed(own)))
            start += size
        z = torch.stack(tokens, dim=1) + self.place
        q, k, v = self.qkv(self.first(z)).chunk(3, dim=2)
        attention = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(self.width), dim=2)
        z = z + self.mix(attention @ v)
        z = z + self.feed(self.second(z))
        out: torch.Tensor = self.head(z.mean(dim=1))
        return out

    def example(self) -> dict[str, Any]:
        """As `costmodel.regressors.onnx_export.Exportable` asks."""
        return {"x": torch.zeros(3, 2 * sum(self.sizes))}

    def dynamic(self) -> dict[str, dict[int, str]]:
        """As `Exportable` asks."""
        return {"x": {0: "n"}}

    def outputs(self) -> tuple[str, ...]:
        """As `Exportable` asks."""
        return ("scores",)


def train(
    model: GroupAttention,
    x: torch.Tensor,
    y: torch.Tensor,
    weights: torch.Tensor,
    held: torch.Tensor,
    epochs: int,
    rate: float,
) -> None:
    """Adam on all rows at once, missing scores (NaN) masked; the weights that were best on `held` rows are kept."""
    known = torch.isfinite(y)
    target = torch.nan_to_num(y)
    share = weights[:, None] * known
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs)
    best, kept = math.inf, {name: value.clone() for name, value in model.state_dict().items()}
    for epoch in range(epochs):
        model.train()
        optimiser.zero_grad()
        loss = torch.nn.functional.huber_loss(model(x[~held]), target[~held], reduction="none")
        ((loss * share[~held]).sum() / share[~held].sum()).backward()
        optimiser.step()
        schedule.step()
        if epoch % 10 == 9:
            with torch.no_grad():
                error = float((((model(x[held]) - target[held]).abs()) * share[held]).sum() / share[held].sum())
            if error < best:
                best, kept = error, {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
