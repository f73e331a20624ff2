"""hls4ml's own attribute names (``n_in``, ``filt_height``, ``n_filt``, ...) -> layers.

A project's ``parameters.h`` and a ``ModelGraph`` speak the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from featurizers.errors import InputError
from featurizers.hls4ml.build import FoundLayer
from featurizers.hls4ml.design import check_size

Numbers = Mapping[str, int]
_RNN_GATES = {"gru": 3, "lstm": 4, "simple_rnn": 1}


def layers_of(kind: str, name: str, numbers: Numbers, function: str, inputs: tuple[str, ...]) -> list[FoundLayer]:
    """The layers of one hls4ml block. Raises InputError for a size that is missing."""
    where = f"layer '{name}'"

    def size(*keys: str, default: int | None = None) -> int:
        for key in keys:
            if key in numbers:
                return check_size(numbers[key], f"'{key}' of {where}", where)
        if default is None:
            raise InputError(f"The '{keys[0]}' of {where}", "must be given", where=where)
        return default

    layer = FoundLayer(name, kind, (kind.replace("_", ""), kind), inputs=inputs, function=function)
    if kind == "dense":
        layer.n_in, layer.n_out = size("n_in"), size("n_out")
        layer.in_elements, layer.out_elements = layer.n_in, layer.n_out
    elif "conv" in kind:
        _conv(layer, size("filt_height", default=1) * size("filt_width", "kernel_size", default=1), numbers)
    elif kind in _RNN_GATES:
        return _recurrent(
            layer, size("n_in"), size("n_out", "n_state"), size("n_sequence", "n_timesteps", default=1),
            int(numbers.get("n_sequence_out", 1)),
        )  # fmt: skip
    elif "pooling" in kind:
        _pool(layer, size("pool_height", default=1) * size("pool_width", default=1), numbers)
    else:
        layer.in_elements = size("n_in", "n_inputs", "n_elem", "n_elem1_0", default=_pixels(numbers, "in", "n_chan"))
        channels = "n_filt" if "n_filt" in numbers else "n_chan"
        layer.out_elements = size(
            "n_out", default=_pixels(numbers, "out", channels) if "out_width" in numbers else layer.in_elements
        )
        layer.positions = _pixels(numbers, "out", "") if "out_width" in numbers else 1
    layer.table_size = int(numbers.get("table_size", 0)) if kind in ("activation", "softmax") else 0
    return [layer]


def _pixels(numbers: Numbers, side: str, channels: str) -> int:
    keys = (f"{side}_height", f"{side}_width", channels)
    return max(prod(int(numbers[key]) for key in keys if key in numbers), 1)


def _pool(layer: FoundLayer, window: int, numbers: Numbers) -> None:
    """One axis has n_in and n_out, two have heights and widths; channels are n_filt; a global one has no output."""
    channels = int(numbers.get("n_filt", numbers.get("n_chan", 1)))
    pixels = int(numbers.get("n_in", 0)) or _pixels(numbers, "in", "")
    left = int(numbers.get("n_out", 0)) or (_pixels(numbers, "out", "") if "out_width" in numbers else 1)
    is_global = layer.kind == "global_pooling"
    layer.in_elements, layer.out_elements = pixels * channels, (1 if is_global else left) * channels
    layer.positions = pixels if is_global else left
    layer.window = pixels if is_global else window


def _conv(layer: FoundLayer, window: int, numbers: Numbers) -> None:
    channels, filters = int(numbers.get("n_chan", 1)), int(numbers.get("n_filt", numbers.get("n_chan", 1)))
    layer.window = window
    layer.n_in = window if layer.kind.startswith("depthwise") else window * channels
    layer.n_out = filters
    layer.positions = _pixels(numbers, "out", "")
    layer.in_elements, layer.out_elements = _pixels(numbers, "in", "n_chan"), layer.positions * filters


def _recurrent(layer: FoundLayer, width: int, units: int, steps: int, steps_out: int) -> list[FoundLayer]:
    gates = _RNN_GATES[layer.kind] * units
    second = FoundLayer(layer.name, layer.kind, layer.types, inputs=(f"{layer.name}/input",))
    second.n_in, second.n_out, second.positions = units, gates, steps
    second.in_elements, second.out_elements, second.function = units, units * steps_out, "tanh"
    layer.function = ""
    layer.name_in_config = layer.name
    layer.name = f"{layer.name}/input"
    layer.n_in, layer.n_out, layer.positions = width, gates, steps
    layer.in_elements, layer.out_elements = width * steps, gates * steps
    return [layer, second]
