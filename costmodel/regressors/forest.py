"""LightGBM's text format -> arrays of one forest."""

from __future__ import annotations

from dataclasses import dataclass, field

_CATEGORICAL, _DEFAULT_LEFT = 1, 2
NONE, ZERO, NAN = 0, 1, 2
"""How a split takes a missing value: as 0; 0 counts as missing; only NaN is missing."""


@dataclass(slots=True)
class Forest:
    """Splits of all trees after one another.

    feature, threshold, missing, default_left : per split. left, right : the next split, or ``-1 - leaf``; both count
    through all trees. leaf : values. roots : per tree the first split, or ``-1 - leaf`` for a tree that is one leaf.
    """

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    default_left: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    leaf: list[float] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)

    def add(self, fields: dict[str, str]) -> None:
        """One tree, given by the lines of its section. ValueError where it has categorical splits or linear leaves."""
        if fields.get("num_cat", "0") != "0" or fields.get("is_linear", "0") != "0":
            raise ValueError("Only trees of numerical splits and constant leaves can be exported.")
        splits, leaves = len(self.feature), len(self.leaf)
        self.leaf += [float(value) for value in fields["leaf_value"].split()]
        if int(fields["num_leaves"]) == 1:
            self.roots.append(-1 - leaves)
            return
        self.roots.append(splits)
        self.feature += [int(value) for value in fields["split_feature"].split()]
        self.threshold += [float(value) for value in fields["threshold"].split()]
        for code in map(int, fields["decision_type"].split()):
            self.missing.append((code >> 2) & 3)
            self.default_left.append(int(bool(code & _DEFAULT_LEFT)))
        for name, into in (("left_child", self.left), ("right_child", self.right)):
            into += [int(v) + splits if int(v) >= 0 else int(v) - leaves for v in fields[name].split()]


def read_forest(model_text: str) -> Forest:
    """The trees of a model in LightGBM's text format, which `NativeBooster` holds."""
    forest = Forest()
    for section in model_text.split("\nTree=")[1:]:
        lines = section.split("end of trees")[0].splitlines()
        forest.add(dict(line.split("=", 1) for line in lines if "=" in line))
    return forest
