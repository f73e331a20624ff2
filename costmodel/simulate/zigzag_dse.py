"""ZigZag (Mei et al., IEEE Trans. Computers 2021), version 3: cycles and energy of an accelerator with its memories.

The hardware is ZigZag's own ``inputs/hardware/edge_tpu_like.yaml``: 8 x 8 x 4 x 4 multiply-accumulate units, 8 bit
operands and 16 bit sums, registers, SRAM and a DRAM of 64 bit per cycle, each with an energy per access. ZigZag
allocates the loops to the memories, and takes the fastest of the loop orders that it is allowed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costmodel.simulate.base import Cost
from costmodel.simulate.layers import Layer

_OPERANDS = {"O": "O", "W": "I2", "I": "I1"}
_SPATIAL: Mapping[str, Mapping[str, list[str]]] = {
    "convolution": {"D1": ["K, 8"], "D2": ["C, 8"], "D3": ["OX, 4"], "D4": ["OY, 4"]},
    "product": {"D1": ["K, 8"], "D2": ["C, 8"], "D3": ["OX, 4"], "D4": ["OX, 4"]},
    "depthwise": {"D1": ["G, 8"], "D2": ["C, 1"], "D3": ["OX, 4"], "D4": ["OY, 4"]},
}
"""Loops unrolled over the array. The first is ZigZag's own for this hardware; it would leave 3/4 of the array idle for
matrix products (one image row) and 63/64 for depthwise layers (one channel per group)."""
_LOOP_LIMIT = 3
_PICOJOULE_PER_MICROJOULE = 1e6


class EdgeTpuLike:
    """ZigZag's ``edge_tpu_like`` hardware, mapped for least latency.

    Raises ImportError when ZigZag is not installed.
    """

    device = "sim-zigzag-edge-tpu-like"

    def __init__(self) -> None:
        import zigzag
        from zigzag.stages.parser.accelerator_parser import AcceleratorParserStage

        logging.getLogger("zigzag").setLevel(logging.ERROR)
        hardware = Path(zigzag.__file__).parent / "inputs" / "hardware" / "edge_tpu_like.yaml"
        self._accelerator = AcceleratorParserStage.parse_accelerator(str(hardware))

    def pieces(self, layer: Layer) -> tuple[Layer, int]:
        """The layer itself; a 1x1 convolution that skips no pixel becomes the matrix product that it is."""
        return (Layer.product(*layer.gemm) if layer.is_pointwise else layer), 1

    def simulate(self, piece: Layer) -> Cost:
        """Cycles (with loading and unloading) and energy of one layer that starts and ends in DRAM."""
        found = self._best_mapping(piece)
        return Cost(float(found.latency_total2), float(found.energy_total) / _PICOJOULE_PER_MICROJOULE)

    def _best_mapping(self, piece: Layer) -> Any:
        from zigzag.mapping.temporal_mapping import TemporalMappingType
        from zigzag.stages.evaluation.cost_model_evaluation import CostModelStage
        from zigzag.stages.mapping.spatial_mapping_generation import SpatialMappingGeneratorStage
        from zigzag.stages.mapping.temporal_mapping_generator_stage import TemporalMappingGeneratorStage
        from zigzag.stages.results.reduce_stages import MinimalLatencyStage
        from zigzag.stages.workload_iterator import WorkloadStage

        stages = [MinimalLatencyStage, SpatialMappingGeneratorStage, TemporalMappingGeneratorStage, CostModelStage]
        run = WorkloadStage(
            stages,
            workload=_zigzag_workload(piece),
            accelerator=self._accelerator,
            loma_lpf_limit=_LOOP_LIMIT,
            loma_show_progress_bar=False,
            nb_mappings_generated=1,
            access_same_data_considered_as_no_access=True,
            temporal_mapping_type=TemporalMappingType("uneven"),
        )
        ((found, _),) = run.run()
        return found


def _zigzag_workload(piece: Layer) -> Any:
    """A workload of one layer, through ZigZag's own validators."""
    from zigzag.parser.mapping_validator import MappingValidator
    from zigzag.parser.workload_factory import WorkloadFactory
    from zigzag.parser.workload_validator import WorkloadValidator

    workload = WorkloadValidator([layer_description(piece)])
    mapping = MappingValidator([mapping_description(piece)])
    if not (workload.validate() and mapping.validate()):
        raise RuntimeError(f"ZigZag refuses the description of {piece}.")
    return WorkloadFactory(workload.normalized_data, mapping.normalized_data).create()


def layer_description(piece: Layer) -> dict[str, Any]:
    """A layer in ZigZag's workload format: 8 bit inputs, weights and results, 16 bit sums."""
    sizes = {
        "B": piece.batch, "K": piece.outputs, "G": piece.groups, "OX": piece.width, "OY": piece.height,
        "C": piece.inputs, "FX": piece.kernel_w, "FY": piece.kernel_h,
    }  # fmt: skip
    return {
        "id": 0,
        "name": "layer",
        "operator_type": "Conv",
        "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
        "operand_source": {"W": 0, "I": 0},
        "loop_dims": list(sizes),
        "loop_sizes": list(sizes.values()),
        "dimension_relations": [
            f"ix={piece.stride_w}*ox+{piece.dilation_w}*fx",
            f"iy={piece.stride_h}*oy+{piece.dilation_h}*fy",
        ],
        "operand_precision": {"W": 8, "I": 8, "O_final": 8, "O": 16},
    }


def mapping_description(piece: Layer) -> dict[str, Any]:
    """How a layer may be laid out: a fixed unrolling; in time the window's loops innermost, all orders of the others.

    Window loops innermost give the optimum of the free search on typical layers (a test compares them), and cut the
    orders of a 3x3 convolution from 720 to 24.
    """
    kind = "depthwise" if piece.is_depthwise else "product" if piece.is_product else "convolution"
    window = [[name, "*"] for name, size in (("FX", piece.kernel_w), ("FY", piece.kernel_h)) if size > 1]
    return {
        "name": "default",
        "spatial_mapping": dict(_SPATIAL[kind]),
        "memory_operand_links": _OPERANDS,
        "temporal_ordering": window,
    }
