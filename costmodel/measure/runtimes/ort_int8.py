"""onnxruntime on the CPU, int8 by static quantisation (QDQ), as its own quantiser writes it.

The ranges come from one random input: they change answers, not execution time.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import onnx

from costmodel.measure.runtimes.base import Feeds, UnsupportedModelError, example_inputs, save_inputs
from costmodel.measure.runtimes.ort import MODEL_FILE, OrtRuntime, save_optimised


class OrtInt8Runtime(OrtRuntime):
    """Activations uint8, weights int8 per channel; what the quantiser leaves in float32 stays so.

    With signed activations the quantiser cannot absorb ReLU, and a third of the convolutions stay in float32.
    """

    def __init__(self) -> None:
        super().__init__("ort-int8", optimise=True)

    def prepare(self, model: bytes, folder: Path) -> None:
        """Fold batch normalisation, quantise, optimise, save."""
        feeds = example_inputs(onnx.load_model_from_string(model))
        save_inputs(feeds, folder)
        float_path, int8_path = folder / "float.onnx", folder / "quantised.onnx"
        try:
            save_optimised(model, float_path, basic=True)
            _quantise(float_path, int8_path, feeds)
            save_optimised(int8_path.read_bytes(), folder / MODEL_FILE)
        finally:
            float_path.unlink(missing_ok=True)
            int8_path.unlink(missing_ok=True)


def _quantise(source: Path, target: Path, feeds: Feeds) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class OneInput(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: list[Feeds] = [feeds]

        def get_next(self) -> Any:
            return self._left.pop() if self._left else None

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # the quantiser advises on accuracy through the root logger
    try:
        quantize_static(
            source, target, OneInput(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
    except Exception as error:  # the quantiser raises whatever its numpy code raises
        raise UnsupportedModelError(f"Quantisation failed: {type(error).__name__}: {str(error)[:200]}") from error
    finally:
        logger.setLevel(level)
