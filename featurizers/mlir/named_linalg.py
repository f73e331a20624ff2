"""Indexing maps of linalg's named operations that do not carry them as an attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rows = list[list[int]]


def named_maps(word: str, ranks: Sequence[int], attributes: Mapping[str, Any]) -> list[Any] | None:
    """Per operand (inputs, then outputs) its subscripts over the iterators; None when the name is not known here."""
    if word.startswith(("conv_", "depthwise_conv_", "pooling_")):
        return _window(word, ranks, attributes)
    if word in ("transpose", "broadcast", "reduce"):
        return _moved(word, ranks, attributes)
    if word in _EINSUMS:
        return _einsum(_EINSUMS[word])
    if word == "softmax":
        return [_rows(r, max(ranks)) for r in ranks]
    # Element-wise: every operand has the output's rank, or is a scalar.
    width = ranks[-1]
    return [_rows(rank, width) if rank == width else [] for rank in ranks]


_EINSUMS = {
    "matmul": "mk,kn,mn", "matmul_transpose_a": "km,kn,mn", "matmul_transpose_b": "mk,nk,mn",
    "batch_matmul": "bmk,bkn,bmn", "batch_matmul_transpose_a": "bkm,bkn,bmn",
    "batch_matmul_transpose_b": "bmk,bnk,bmn", "batch_reduce_matmul": "bmk,bkn,mn", "matvec": "mk,k,m",
    "vecmat": "k,kn,n", "batch_matvec": "bmk,bk,bm", "batch_vecmat": "bk,bkn,bn", "dot": "k,k,",
    "quantized_matmul": "mk,kn,,,mn", "quantized_batch_matmul": "bmk,bkn,,,bmn", "mmt4d": "mkac,nkbc,mnab",
}  # fmt: skip


def _rows(rank: int, width: int) -> Rows:
    return [[0] + [int(i == j) for j in range(width)] for i in range(rank)]


def _einsum(text: str) -> list[Rows]:
    terms = text.split(",")
    letters: list[str] = []
    for letter in terms[-1] + "".join(terms[:-1]):
        if letter not in letters:
            letters.append(letter)
    return [[[0] + [int(letter == other) for other in letters] for letter in term] for term in terms]


def _window(word: str, ranks: Sequence[int], attributes: Mapping[str, Any]) -> list[Any] | None:
    """conv_2d_nhwc_hwcf and its relatives. Iterators: output dims, then window dims, then input channels."""
    strides, dilations = (_list(attributes.get(key)) for key in ("strides", "dilations"))
    parts = word.split("_")
    layouts = [p for p in parts if p and set(p) <= set("nhwdcfgm") and len(p) >= 2 and p not in ("sum", "max", "min")]
    depthwise = word.startswith("depthwise")
    if word.startswith("pooling"):
        layout = layouts[0] if layouts else "nhwc"
        return _pool(layout, ranks, strides, dilations)
    if not layouts:  # conv_1d, conv_2d, conv_3d without channels
        spatial = "hwd"[: ranks[0]]
        return _conv(spatial, spatial, spatial, strides, dilations)
    image, kernel = layouts[0], layouts[1] if len(layouts) > 1 else layouts[0]
    if depthwise:
        out = image + ("m" if "m" in kernel else "")
        return _conv(image, kernel, out, strides, dilations)
    return _conv(image, kernel, image.replace("c", "f"), strides, dilations)


def _conv(image: str, kernel: str, out: str, strides: Sequence[int], dilations: Sequence[int]) -> list[Any]:
    spatial = [letter for letter in image if letter in "hwd"]
    iterators = list(out) + [f"k{letter}" for letter in spatial]
    iterators += [letter for letter in kernel if letter not in "hwd" and letter not in out]
    place = {name: i + 1 for i, name in enumerate(iterators)}

    def row(**terms: int) -> list[int]:
        flat = [0] * (len(iterators) + 1)
        for name, factor in terms.items():
            flat[place[name]] = factor
        return flat

    rows_in = []
    for letter in image:
        if letter in spatial:
            i = spatial.index(letter)
            stride = strides[i] if i < len(strides) else 1
            dilation = dilations[i] if i < len(dilations) else 1
            rows_in.append(row(**{letter: stride, f"k{letter}": dilation}))
        else:
            rows_in.append(row(**{letter: 1}))
    rows_kernel = [row(**{f"k{letter}" if letter in spatial else letter: 1}) for letter in kernel]
    return [rows_in, rows_kernel, [row(**{letter: 1}) for letter in out]]


def _list(value: Any) -> list[int]:
    """A dense attribute of equal numbers is read as that one number."""
    return [value] * 3 if isinstance(value, int) else list(value or ())


def _pool(layout: str, ranks: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[Any]:
    spatial = "".join(letter for letter in layout if letter in "hwd")
    return _conv(layout, spatial, layout, strides, dilations)


def _moved(word: str, ranks: Sequence[int], attributes: Mapping[str, Any]) -> list[Any] | None:
    if word == "transpose":
        order = list(attributes.get("permutation") or range(ranks[0]))
        source: Rows = [[0] * (len(order) + 1) for _ in order]
        for out_axis, in_axis in enumerate(order):
            source[in_axis][out_axis + 1] = 1
        return [source, _rows(len(order), len(order))]
    dropped = set(attributes.get("dimensions") or [])
    width = max(ranks)
    kept = [i for i in range(width) if i not in dropped]
    short = [[0] + [int(i == j) for j in range(width)] for i in kept]
    whole = _rows(width, width)
    if word == "broadcast":
        return [short, whole]
    half = len(ranks) // 2
    return [whole] * half + [short] * (len(ranks) - half)
