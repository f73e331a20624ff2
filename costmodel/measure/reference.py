"""A fixed workload whose time says in which state the machine is.

On a shared host a neighbour slows the core for seconds to minutes. A measurement is only comparable with another
beside the time that the same reference took just before and after it.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from costmodel.zoo.graph import GraphBuilder, Style

_CHANNELS, _SIZE = 64, 28
_COPIED_BYTES = 8 * 2**20
_REPEATS = 3
LOUD_RATIO = 1.25
"""A reference this much slower than in the quiet state means that a neighbour is working."""


class Reference:
    """A 3x3 convolution (64 channels, 28x28, onnxruntime, one thread) and a copy of 8 MB."""

    def __init__(self) -> None:
        import onnxruntime

        g = GraphBuilder("reference", 1, Style())
        x = g.input((1, _CHANNELS, _SIZE, _SIZE))
        g.output(g.conv(x, _CHANNELS, 3))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(g.model().SerializeToString(), options, ["CPUExecutionProvider"])
        self._binding: Any = session.io_binding()
        self._session: Any = session
        self._binding.bind_cpu_input("input", np.random.default_rng(0).standard_normal(x.shape, dtype=np.float32))
        self._binding.bind_output(session.get_outputs()[0].name)
        self._source = np.ones(_COPIED_BYTES, np.uint8)
        self._target = np.zeros(_COPIED_BYTES, np.uint8)
        for _ in range(20):
            self.compute_ms()
            self.memory_ms()

    def compute_ms(self) -> float:
        """Median time of three convolutions."""
        times = []
        for _ in range(_REPEATS):
            start = time.perf_counter()
            self._session.run_with_iobinding(self._binding)
            times.append(time.perf_counter() - start)
        return sorted(times)[_REPEATS // 2] * 1e3

    def memory_ms(self) -> float:
        """Time of one copy."""
        start = time.perf_counter()
        np.copyto(self._target, self._source)
        return (time.perf_counter() - start) * 1e3

    def quiet_ms(self, seconds: float = 2.0) -> float:
        """The compute reference's 10th percentile over some time: a first idea of the quiet state."""
        times, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            times.append(self.compute_ms())
            time.sleep(0.005)
        return float(np.percentile(times, 10))
