"""`foreign-networks`: models that this repository did not write, exported by torch, predicted and then measured here.

Architectures of Hugging Face transformers with random weights (nothing is downloaded), through `torch.onnx.export`.
Needs the extras `measure`, `torch` and `foreign`, and a host whose CPU is one of the known devices.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.evaluation.metrics import accuracy, interval_quality
from costmodel.registry import PRETRAINED
from featurizers.errors import InputError

KEYS = ("ort-fp32-b1", "openvino-fp32-b1")
_ROUNDS = 6


def run(data: Path | None, mirror: Path | None) -> dict[str, Any]:
    """One row per model and device of this host."""
    from costmodel.measure import measure_model
    from costmodel.measure.devices import device_name
    from costmodel.predictor import Predictor

    predictor = Predictor.load(PRETRAINED / "network")
    devices = [device_name(key) for key in KEYS if device_name(key) in predictor.devices]
    if not devices:
        raise InputError(f"This host, {device_name('')}", f"must be one of: {', '.join(sorted(predictor.devices))}")
    rows = []
    for name, make in MODELS.items():
        file = _exported(*make())
        (outcome,) = predictor.predict([{"onnx": file}], devices, ["latency_ms"])
        if isinstance(outcome, InputError):
            raise outcome
        for answer in outcome:
            quiet_ms = predictor.devices[answer.device].descriptor.get("quiet_reference_ms")
            measured = measure_model(file, answer.device, rounds=_ROUNDS, quiet_reference_ms=quiet_ms)
            rows.append(
                {
                    "model": name,
                    "device": answer.device,
                    "measured_ms": measured.latency_ms,
                    "predicted_ms": answer.value,
                    "low_ms": answer.low,
                    "high_ms": answer.high,
                    "inside": int(answer.low <= measured.latency_ms <= answer.high),
                    "in_domain": int(answer.in_domain),
                    "spread": measured.spread,
                }
            )
    return {"benchmark": "foreign-networks", "rows": rows, "summary": _summary(rows)}


def _summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    truth, value, low, high = (
        np.array([row[key] for row in rows]) for key in ("measured_ms", "predicted_ms", "low_ms", "high_ms")
    )
    figures = accuracy(truth, value) | interval_quality(truth, low, high)
    return {key: figures[key] for key in ("median_error", "within_10pct", "spearman", "coverage", "width_ratio")}


def _exported(model: Any, inputs: tuple[Any, ...]) -> bytes:
    """The ONNX file of a module in evaluation mode."""
    import torch

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(model.eval(), inputs, dynamo=True, verbose=False)
    program.save(buffer, external_data=False)
    return buffer.getvalue()


def _image(size: int) -> tuple[Any, ...]:
    import torch

    return (torch.zeros(1, 3, size, size),)


def _tokens(length: int) -> tuple[Any, ...]:
    import torch

    return (torch.zeros(1, length, dtype=torch.int64),)


def _resnet() -> tuple[Any, tuple[Any, ...]]:
    from transformers import ResNetConfig, ResNetForImageClassification

    return ResNetForImageClassification(ResNetConfig()), _image(224)


def _small_resnet() -> tuple[Any, tuple[Any, ...]]:
    from transformers import ResNetConfig, ResNetForImageClassification

    sizes = [32, 64, 128, 256]
    config = ResNetConfig(embedding_size=32, hidden_sizes=sizes, depths=[2, 2, 2, 2], layer_type="basic")
    return ResNetForImageClassification(config), _image(160)


def _mobilenet() -> tuple[Any, tuple[Any, ...]]:
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    return MobileNetV2ForImageClassification(MobileNetV2Config(image_size=192)), _image(192)


def _convnext() -> tuple[Any, tuple[Any, ...]]:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    config = ConvNextConfig(hidden_sizes=[48, 96, 192, 384], depths=[2, 2, 6, 2])
    return ConvNextForImageClassification(config), _image(128)


def _vit() -> tuple[Any, tuple[Any, ...]]:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(hidden_size=192, num_attention_heads=3, num_hidden_layers=12, intermediate_size=768)
    return ViTForImageClassification(config), _image(224)


def _bert() -> tuple[Any, tuple[Any, ...]]:
    from transformers import BertConfig, BertModel

    config = BertConfig(hidden_size=256, num_attention_heads=4, num_hidden_layers=4, intermediate_size=1024)
    return BertModel(config), _tokens(128)


MODELS: dict[str, Callable[[], tuple[Any, tuple[Any, ...]]]] = {
    "resnet-50 224": _resnet,
    "resnet basic 160": _small_resnet,
    "mobilenetv2 192": _mobilenet,
    "convnext small 128": _convnext,
    "vit-tiny 224": _vit,
    "bert 4x256 128": _bert,
}
