"""The networks of the paper (torch: for training only). Both read tokens (n, length) and lengths (n,)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_FILTERS = (16, 16, 8, 8, 2, 1)
"""Widths of the paper's six stacked convolutions, in tokens."""
_TEMPLATE_CODES = 32


class TokenNetwork(nn.Module):  # type: ignore[misc]
    """Embedding -> `read` -> three dense layers -> one estimate around the mean label."""

    def __init__(self, codes: int, embedding: int, hidden: int):
        super().__init__()
        self.codes = codes
        self.embedding = nn.Embedding(codes, embedding, padding_idx=0)
        self.dense = nn.Sequential(
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden // 2), nn.ReLU(), nn.Linear(hidden // 2, 1)
        )
        self.offset = nn.Parameter(torch.zeros(1), requires_grad=False)

    @staticmethod
    def template(arguments: tuple[int, ...]) -> tuple[int, ...]:
        """The table of words may be of any length: see `costmodel.regressors.onnx_export.exported`."""
        return (_TEMPLATE_CODES, *arguments[1:])

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor]:
        return (self.offset + self.dense(self.read(self.embedding(tokens), lengths)),)

    def read(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """(n, length, embedding) -> (n, hidden)."""
        raise NotImplementedError

    def example(self) -> dict[str, Tensor]:
        return {"tokens": torch.arange(21).reshape(3, 7) % self.codes, "lengths": torch.tensor([3, 7, 2])}

    def dynamic(self) -> dict[str, dict[int, str]]:
        return {"tokens": {0: "programs", 1: "length"}, "lengths": {0: "programs"}}

    def outputs(self) -> tuple[str, ...]:
        return ("estimate",)


class ConvNetwork(TokenNetwork):
    """Six convolutions over the tokens, and the maximum of each channel over the program."""

    def __init__(self, codes: int, embedding: int, hidden: int):
        super().__init__(codes, embedding, hidden)
        widths = zip(_FILTERS, (embedding, *[hidden] * (len(_FILTERS) - 1)), strict=True)
        self.filters = nn.ModuleList([nn.Conv1d(channels, hidden, width) for width, channels in widths])

    def read(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        there = (torch.arange(embedded.shape[1])[None, :] < lengths[:, None])[:, None, :]
        h = embedded.transpose(1, 2)
        for layer in self.filters:
            width = layer.kernel_size[0]
            # What stands behind a program's end is zero for every layer, so that padding changes nothing.
            h = torch.where(there, torch.relu(layer(nn.functional.pad(h, ((width - 1) // 2, width // 2)))), 0.0)
        return h.amax(dim=2)


class LstmNetwork(TokenNetwork):
    """An LSTM read to the program's last token."""

    def __init__(self, codes: int, embedding: int, hidden: int):
        super().__init__(codes, embedding, hidden)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)

    def read(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        states, _ = self.lstm(embedded)
        return states[torch.arange(embedded.shape[0]), lengths - 1]
