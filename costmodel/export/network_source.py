"""A perceptron on columns as C: its numbers as tables of floats, and a loop over the layers."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from costmodel.mlir.network import MOST, STEP, ColumnNetwork

_WIDTH = 110
LAYER = """static void layer(const float *weights, const float *bias, int in, int out, const double *x, double *y,
                  int last) {
  for (int j = 0; j < out; ++j) y[j] = bias[j];
  for (int i = 0; i < in; ++i)
    for (int j = 0; j < out; ++j) y[j] += x[i] * weights[i * out + j];
  if (!last)
    for (int j = 0; j < out; ++j) y[j] = y[j] / (1.0 + exp(fmin(-y[j], 80.0)));
}
"""


def network_source(network: ColumnNetwork, name: str = "network") -> str:
    """Tables and ``double NAME(const float *columns)``, which needs `LAYER`: what `ColumnNetwork.predict` says."""
    scaling = network.scaling
    tables = [
        table("int", f"{name}_columns", scaling.columns),
        table("float", f"{name}_center", scaling.center),
        table("float", f"{name}_scale", scaling.scale),
    ]
    calls = []
    for m, layers in enumerate(network.members):
        source = "z"
        for k, (weights, bias) in enumerate(layers):
            own, last = f"{name}_{m}_{k}", k == len(layers) - 1
            tables += [table("float", f"weights_{own}", weights.ravel()), table("float", f"bias_{own}", bias)]
            into = ("a", "b")[k % 2]
            shape = f"{weights.shape[0]}, {weights.shape[1]}"
            calls.append(f"  layer(weights_{own}, bias_{own}, {shape}, {source}, {into}, {int(last)});")
            source = into
        calls.append(f"  sum += {source}[0];")
    widest = max(len(bias) for layers in network.members for _, bias in layers)
    return "\n".join([*tables, _function(name, len(scaling.columns), widest, calls, len(network.members))])


def _function(name: str, columns: int, widest: int, calls: list[str], members: int) -> str:
    body = "\n".join(calls)
    return f"""static double {name}(const float *columns) {{
  double z[{columns}], a[{widest}], b[{widest}], sum = 0.0;
  (void)b;
  for (int i = 0; i < {columns}; ++i) {{
    double x = columns[{name}_columns[i]];
    if (isnan(x)) x = 0.0;
    x = (copysign(log1p(fabs(x)), x) - {name}_center[i]) / {name}_scale[i];
    z[i] = fmax(fmin(x, {MOST!r}), {-MOST!r});
  }}
{body}
  return nearbyint(sum / ({members}.0 * {STEP!r})) * {STEP!r};
}}
"""


def table(kind: str, name: str, values: Any) -> str:
    """``static const KIND NAME[]`` of whole numbers or of numbers of 16 bits."""
    texts = [str(int(v)) for v in values] if kind == "int" else [_float(float(v)) for v in np.asarray(values)]
    rows = textwrap.fill(", ".join(texts), _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return f"static const {kind} {name}[] = {{\n{rows}\n}};\n"


def _float(value: float) -> str:
    """Numbers of 16 bits, exact in a float of 32."""
    text = f"{value:.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"
