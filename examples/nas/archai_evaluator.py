"""Archai: predicted latency as an evaluator of a discrete search."""

from archai.discrete_search.api.archai_model import ArchaiModel

from costmodel.nas import oracle
from costmodel.nas.archai import LatencyEvaluator

DEVICE = "xeon-emr-ort-fp32-b1"
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


def main(url=None):
    model = ArchaiModel(arch=None, archid=CELL, metadata={"costmodel": {"nasbench201": CELL}})
    latency_ms = LatencyEvaluator(oracle(DEVICE, url)).evaluate(model)
    print(f"{latency_ms:.3f} ms")
    return latency_ms


if __name__ == "__main__":
    main()
