"""ONNX files without their weights: costmodel reads shapes, and a device's measurements are kept for years."""

from __future__ import annotations

from featurizers.core import Raw

_SMALL = 4096
"""Bytes of a tensor that may be a shape, an axis or a table of sizes: kept, since shapes are computed from it."""
_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


def without_weights(raw: Raw) -> Raw:
    """`raw` with the large tensors of its ``onnx`` file emptied; anything else as it is."""
    content = raw.get("onnx")
    if not isinstance(content, bytes) or len(content) <= _SMALL:
        return raw
    import onnx

    model = onnx.load_model_from_string(content)
    tensors = list(model.graph.initializer)
    constants = [node for node in model.graph.node if node.op_type == "Constant"]
    tensors += [attribute.t for node in constants for attribute in node.attribute if attribute.name == "value"]
    for tensor in tensors:
        if tensor.ByteSize() > _SMALL:
            tensor.ClearField("raw_data")
            for field in _FIELDS:
                tensor.ClearField(field)
    return {**raw, "onnx": model.SerializeToString()}
