"""SCALE-Sim (Samajdar et al., ISPASS 2020), version 3: cycles of a weight-stationary systolic array.

The number comes from ``scalesim.compute.systolic_compute_ws``: it unrolls the operands into the array's demands,
one row per clock cycle, and the layer takes as long as the last demand. That is "total cycles" of SCALE-Sim's report in
its bandwidth-calculating mode, where memory is as fast as the array asks. Its memory system
(``double_buffered_scratchpad_mem``, a Python loop over cycles: days for a thousand networks) then only writes traces,
so it is not run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.simulate.base import Cost
from costmodel.simulate.layers import Layer


class WeightStationaryArray:
    """A systolic array of `rows` x `columns` multiply-accumulate units, weights held in place, operands always ready.

    Raises ImportError when SCALE-Sim is not installed.
    """

    def __init__(self, rows: int = 64, columns: int = 64):
        from scalesim.compute.systolic_compute_ws import systolic_compute_ws
        from scalesim.scale_config import scale_config

        self.device = f"sim-scalesim-ws{rows}x{columns}"
        self._array = systolic_compute_ws
        self._config = scale_config()
        self._config.set_dataflow("ws")
        self._config.set_arr_dims(rows, columns)
        self._config.set_bw_mode_to_calc()
        self._config.force_valid()

    def pieces(self, layer: Layer) -> tuple[Layer, int]:
        """One matrix product per group, as in SCALE-Sim's own reading of depthwise layers and of (M, N, K) files."""
        return Layer.product(*layer.gemm), layer.groups

    def simulate(self, piece: Layer) -> Cost:
        """Cycles of one matrix product."""
        m, n, k = piece.gemm
        run: Any = self._array()
        run.set_params(
            config_obj=self._config,
            ifmap_op_mat=_addresses(m, k),
            filter_op_mat=_addresses(k, n),
            ofmap_op_mat=_addresses(m, n),
        )
        run.create_ofmap_demand_mat()
        return Cost(float(len(run.ofmap_demand_matrix) - 1))


def _addresses(rows: int, columns: int) -> np.ndarray[Any, Any]:
    """Operand addresses. Their values matter to the memory traces only, so one address stands for all."""
    return np.broadcast_to(np.float64(0), (rows, columns))
