"""A network that adds up loops as C: what `LoopNetwork.predict` says."""

from __future__ import annotations

from costmodel.export.network_source import table
from costmodel.mlir.loop_network import LEAST_SHARE, LoopNetwork
from costmodel.mlir.network import MOST, STEP, Layers

_SCALED = f"""static double scaled(double x, double center, double scale) {{
  if (isnan(x)) x = 0.0;
  x = (copysign(log1p(fabs(x)), x) - center) / scale;
  return fmax(fmin(x, {MOST!r}), {-MOST!r});
}}
"""


def loops_source(network: LoopNetwork, name: str = "loop_network") -> str:
    """Tables and ``double NAME(const float *columns)``, which needs `network_source.LAYER`."""
    loops, width = network.columns.own.shape
    tables = [
        table("int", f"{name}_columns", network.scaling.columns),
        table("float", f"{name}_center", network.scaling.center),
        table("float", f"{name}_scale", network.scaling.scale),
        table("int", f"{name}_own", network.columns.own.ravel()),
        table("int", f"{name}_share", network.columns.share),
        table("float", f"{name}_loop_center", network.loops.center),
        table("float", f"{name}_loop_scale", network.loops.scale),
    ]
    groups = {"program": network.program, "context": (network.context,), "loop": network.loop}
    for group, layers in groups.items():
        for k, (weights, bias) in enumerate(layers):
            own = f"{name}_{group}_{k}"
            tables += [table("float", f"{own}_weights", weights.ravel()), table("float", f"{own}_bias", bias)]
    widest = max(len(bias) for layers in groups.values() for _, bias in layers)
    return "\n".join([*tables, _SCALED, _function(network, name, loops, width, widest)])


def _function(network: LoopNetwork, name: str, loops: int, width: int, widest: int) -> str:
    columns, context = len(network.scaling.columns), len(network.context[1])
    inside = f"{columns}, {len(network.program[0][1])}"
    first = f"  layer({name}_program_0_weights, {name}_program_0_bias, {inside}, z, h, 0);"
    common = _calls(name, "program", network.program[1:], "h", 1)
    own = _calls(name, "loop", network.loop, "in", 0, indent="    ")
    last = "ab"[(len(network.loop) - 1) % 2]
    shared = "ab"[(len(network.program) - 2) % 2]
    whole = network.columns.whole
    divided = f" / fmax((double)columns[{whole}], 1.0)" if whole >= 0 else ""
    shape = f"{network.context[0].shape[0]}, {context}"
    return f"""static double {name}(const float *columns) {{
  double z[{columns}], h[{widest}], a[{widest}], b[{widest}], in[{width + context}], logs[{loops + 1}];
  double rest = 1.0, top, sum = 0.0, common;
  for (int i = 0; i < {columns}; ++i)
    z[i] = scaled(columns[{name}_columns[i]], {name}_center[i], {name}_scale[i]);
{first}
{common}
  common = {shared}[0];
  logs[{loops}] = {shared}[1];
  layer({name}_context_0_weights, {name}_context_0_bias, {shape}, h, in + {width}, 1);
  for (int k = 0; k < {loops}; ++k) {{
    double part = columns[{name}_share[k]]{divided};
    rest -= part;
    for (int i = 0; i < {width}; ++i)
      in[i] = scaled(columns[{name}_own[k * {width} + i]], {name}_loop_center[i], {name}_loop_scale[i]);
{own}
    logs[k] = log(fmax(part, {LEAST_SHARE!r})) + {last}[0];
  }}
  logs[{loops}] += log(fmax(rest, {LEAST_SHARE!r}));
  top = logs[0];
  for (int k = 1; k <= {loops}; ++k) top = fmax(top, logs[k]);
  for (int k = 0; k <= {loops}; ++k) sum += exp(logs[k] - top);
  return nearbyint((top + log(sum) + common) / {STEP!r}) * {STEP!r};
}}
"""


def _calls(name: str, group: str, layers: Layers, source: str, start: int, indent: str = "  ") -> str:
    """The layers one after the other, into a and b in turns; the last has no SiLU behind it."""
    lines = []
    for k, (weights, _) in enumerate(layers):
        own, into = f"{name}_{group}_{k + start}", "ab"[k % 2]
        shape, last = f"{weights.shape[0]}, {weights.shape[1]}", int(k == len(layers) - 1)
        lines.append(f"{indent}layer({own}_weights, {own}_bias, {shape}, {source}, {into}, {last});")
        source = into
    return "\n".join(lines)
