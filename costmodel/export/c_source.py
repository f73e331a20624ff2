"""A `Formula` as a C99 source file, its header and the list of its columns; no library but libm."""

from __future__ import annotations

import re
from collections.abc import Sequence

from costmodel.export.formula import Formula
from costmodel.export.loops_source import loops_source
from costmodel.export.network_source import LAYER, network_source
from costmodel.regressors.forest import Forest

_WIDTH = 110


def c_name(formula: Formula) -> str:
    """What the function is called: ``costmodel_cycles_znver4``."""
    return re.sub(r"\W", "_", f"costmodel_{formula.target}_{formula.device}")


def _banner(formula: Formula) -> str:
    what = f"{formula.target} [{formula.unit}] on {formula.device}, by {formula.model}"
    return f"/* {what}. Made by `costmodel export`. */"


def header(formula: Formula) -> str:
    """The ``.h`` file."""
    name = c_name(formula)
    return f"""{_banner(formula)}
#ifndef {name.upper()}_H
#define {name.upper()}_H

#ifdef __cplusplus
extern "C" {{
#endif

#define {name.upper()}_COLUMNS {len(formula.columns)}

/* Names of the columns, in the order in which {name} takes them. */
extern const char *const {name}_columns[{name.upper()}_COLUMNS];

/* Sets the columns that are facts of {formula.device} and not of the program; leaves the others alone. */
void {name}_constants(float *columns);

/* Predicted {formula.target} of a row of {len(formula.columns)} columns. NaN is a missing value. Keeps no state. */
double {name}(const float *columns);

#ifdef __cplusplus
}}
#endif
#endif
"""


def source(formula: Formula) -> str:
    """The ``.c`` file: the trees as tables, and a loop that walks them."""
    name = c_name(formula)
    names = [f'"{column.name}"' for column in formula.columns]
    place = {column.name: i for i, column in enumerate(formula.columns)}
    constants = "\n".join(f"  columns[{place[key]}] = {_float(v)}f;" for key, v in formula.constants.items())
    forests = list(formula.forests) + ([formula.any] if formula.any else [])
    return "\n".join([
        _banner(formula),
        "#include <math.h>",
        f'#include "{name}.h"',
        "",
        f"const char *const {name}_columns[{name.upper()}_COLUMNS] = {{",
        _wrapped(names),
        "};",
        "",
        f"void {name}_constants(float *columns) {{",
        constants or "  (void)columns;",
        "}",
        "",
        _WALK,
        *(_tables(i, forest) for i, forest in enumerate(forests)),
        *_networks(formula),
        _body(formula, place),
    ])  # fmt: skip


def column_list(formula: Formula) -> str:
    """One line per column: its place, name, unit, group, and its value where it is the device's."""
    rows = [
        (str(i), c.name, c.unit, c.group, f"{formula.constants[c.name]:g}" if c.name in formula.constants else "")
        for i, c in enumerate(formula.columns)
    ]
    return "\n".join("\t".join(row) for row in [("column", "name", "unit", "group", "value"), *rows]) + "\n"


_WALK = """typedef struct {
  unsigned short feature;
  unsigned char missing, default_left; /* missing: 0 counts as 0, 1 a zero is missing, 2 NaN is missing */
  int left, right;                     /* the next split, or -1 - leaf */
  double threshold;
} split;

static double walk(const split *splits, const double *leaves, const int *roots, int trees, const float *columns) {
  double sum = 0.0;
  for (int t = 0; t < trees; ++t) {
    int at = roots[t];
    while (at >= 0) {
      const split *s = &splits[at];
      double x = columns[s->feature];
      if (isnan(x) && s->missing != 2) x = 0.0;
      if ((s->missing == 1 && fabs(x) <= 1e-35) || (s->missing == 2 && isnan(x)))
        at = s->default_left ? s->left : s->right;
      else
        at = x <= s->threshold ? s->left : s->right;
    }
    sum += leaves[-1 - at];
  }
  return sum;
}
"""


def _tables(index: int, forest: Forest) -> str:
    splits = [
        f"{{{f},{m},{d},{a},{b},{_float(t)}}}"
        for f, m, d, a, b, t in zip(
            forest.feature,
            forest.missing,
            forest.default_left,
            forest.left,
            forest.right,
            forest.threshold,
            strict=True,
        )
    ] or ["{0,0,0,-1,-1,0.0}"]
    return "\n".join([
        f"static const split splits_{index}[] = {{", _wrapped(splits), "};",
        f"static const double leaves_{index}[] = {{", _wrapped([_float(v) for v in forest.leaf]), "};",
        f"static const int roots_{index}[] = {{", _wrapped([str(root) for root in forest.roots]), "};", "",
    ])  # fmt: skip


def _networks(formula: Formula) -> list[str]:
    named = {"network": formula.network, "any_network": formula.any_network}
    written = [network_source(network, name) for name, network in named.items() if network is not None]
    if formula.loop_network is not None:
        written.append(loops_source(formula.loop_network))
    return [LAYER, *written] if written else []


def _body(formula: Formula, place: dict[str, int]) -> str:
    members = len(formula.forests)
    share = formula.network_share
    lines = [f"double {c_name(formula)}(const float *columns) {{", "  double y = 0.0;"]
    lines += [f"  y += {_call(i, forest)};" for i, forest in enumerate(formula.forests)]
    lines.append(f"  y /= {members}.0;")
    if formula.network is not None:
        said = "network(columns)"
        if formula.loop_network is not None:
            said = f"0.5 * ({said} + loop_network(columns))"
        lines.append(f"  y = {1 - share!r} * y + {share!r} * {said};")
    if formula.base is not None:
        lines.append(f"  y += log(fmax((double)columns[{place[formula.base]}], 1.0));")
    if formula.any is not None:
        odds = _call(members, formula.any)
        if formula.any_network is not None:
            odds = f"{1 - share!r} * {odds} + {share!r} * any_network(columns)"
        lines.append(f"  if ({odds} <= {formula.any_above!r}) y = 0.0;")
        lines.append("  else if (y < log(2.0)) y = log(2.0);")
    lines.append(f"  y += {_float(formula.shift)};")
    if formula.any is not None:
        lines.append("  return nearbyint(expm1(fmax(y, 0.0)));")
    else:
        lines.append("  return exp(y);" if formula.is_log else "  return y;")
    return "\n".join([*lines, "}", ""])


def _call(index: int, forest: Forest) -> str:
    return f"walk(splits_{index}, leaves_{index}, roots_{index}, {len(forest.roots)}, columns)"


def _float(value: float) -> str:
    """The shortest decimal that is this double again."""
    text = repr(float(value))
    return text if any(mark in text for mark in ".en") else text + ".0"


def _wrapped(items: Sequence[str]) -> str:
    lines, line = [], " "
    for item in items:
        if len(line) + len(item) > _WIDTH:
            lines.append(line)
            line = " "
        line += f" {item},"
    return "\n".join([*lines, line])
