"""Data-parallel training of networks: what ``torchrun`` starts, each process with a share of every step's subjects.

    torchrun --nproc-per-node 2 -m costmodel train --kind network --learner gnn      # several machines: --nnodes

Gradients are summed over all processes and divided by the weight of all, so that a step is the one that a single
process would take. Without torchrun there is one rank, and nothing here costs anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Ranks:
    """rank : of this process, from 0. world : how many there are."""

    rank: int = 0
    world: int = 1

    def share(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """This process's part of a step's subjects; all of them where there are too few to divide."""
        return rows[self.rank :: self.world] if len(rows) >= self.world else rows

    def total(self, value: Any) -> Any:
        """Sum of a tensor over all processes; not differentiable."""
        if self.world == 1:
            return value
        import torch.distributed as dist

        summed = value.detach().clone()
        dist.all_reduce(summed)
        return summed

    def sum_gradients(self, parameters: Iterable[Any]) -> None:
        """Each parameter's gradient becomes its sum over all processes."""
        if self.world > 1:
            import torch.distributed as dist

            for parameter in parameters:
                if parameter.grad is not None:
                    dist.all_reduce(parameter.grad)

    def agreed(self, value: float) -> float:
        """What rank 0 says, so that all stop at the same epoch."""
        if self.world == 1:
            return value
        import torch
        import torch.distributed as dist

        told = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(told, 0)
        return float(told[0])


def ranks() -> Ranks:
    """Those of the running group of processes, else this process alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Ranks()
    import torch.distributed as dist

    return Ranks(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else Ranks()


@contextmanager
def grouped() -> Iterator[Ranks]:
    """The processes that torchrun has started are one group meanwhile (gloo: CPUs, any network)."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    import torch.distributed as dist

    dist.init_process_group("gloo")
    try:
        yield ranks()
    finally:
        dist.destroy_process_group()
