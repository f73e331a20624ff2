"""Named operations of linalg that a chain may start with: products of every shape, packed ones, pools, convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costmodel.mlir.generators.chains import Chain
from costmodel.mlir.generators.writer import is_float


def _product(op: str, letters: str, largest: int) -> Callable[[Chain], str]:
    """A named operation with operands ``a,b->c`` of one letter an axis."""
    sides, out = letters.split("->")

    def start(g: Chain) -> str:
        extents = {letter: g.code.size(2, largest) for letter in sorted(set(letters) - set(",->"))}
        operands = [g.input([extents[letter] for letter in side]) for side in sides.split(",")]
        return g.named(op, operands, [extents[letter] for letter in out])

    return start


def _packed(g: Chain) -> str:
    """Tiles of rows times tiles of columns."""
    m, n, k = (g.code.size(1, 12) for _ in range(3))
    rows, columns, deep = g.code.pick((1, 4, 8)), g.code.pick((4, 8, 16)), g.code.pick((1, 2, 4))
    batch = [g.code.size(1, 6)] if g.code.coin(0.4) else []
    a, b = g.input([*batch, m, k, rows, deep]), g.input([*batch, n, k, columns, deep])
    return g.named("batch_mmt4d" if batch else "mmt4d", [a, b], [*batch, m, n, rows, columns])


def _windowed(op: str, layout: str, *, kernel: str | None) -> Callable[[Chain], str]:
    """A pool, or a convolution with a kernel of this layout: n, spatial axes (h, w), channels c, filters f."""
    rank = sum(letter in "hwd" for letter in layout)

    def start(g: Chain) -> str:
        c = g.code
        stride, dilation, taps = c.pick((1, 1, 2)), c.pick((1, 1, 1, 2)), c.pick((2, 3, 3))
        size = {letter: c.size(2, {1: 200, 2: 24, 3: 8}[rank]) for letter in "hwd"}
        size.update(n=c.pick((1, 1, 2)), c=c.size(1, 24), f=c.size(1, 16))
        wide = {k: (v - 1) * stride + (taps - 1) * dilation + 1 if k in "hwd" else v for k, v in size.items()}
        image = g.input([wide[letter] for letter in layout])
        window = [taps if letter in "hwd" else size[letter] for letter in kernel or "hwd"[:rank]]
        out = [size["f" if letter == "c" and kernel and "f" in kernel else letter] for letter in layout]
        numbers = f"vector<{rank}xi64>"
        attributes = f"{{dilations = dense<{dilation}> : {numbers}, strides = dense<{stride}> : {numbers}}} "
        most = 1e4 if is_float(g.element) else 100
        start_ = -most if "max" in op else most if "min" in op else 0
        return g.named(op, [image, g.input(window)], out, start_, attributes)

    return start


STARTS: Sequence[Callable[[Chain], str]] = (
    _product("matvec", "mk,k->m", 250),
    _product("vecmat", "k,kn->n", 250),
    _product("matmul", "mk,kn->mn", 80),
    _product("matmul", "mk,kn->mn", 30),
    _product("batch_matmul", "bmk,bkn->bmn", 20),
    _product("batch_matvec", "bmk,bk->bm", 40),
    _product("batch_vecmat", "bk,bkn->bn", 40),
    _product("batch_reduce_matmul", "bmk,bkn->mn", 24),
    _packed,
    _packed,
    _windowed("pooling_nhwc_max", "nhwc", kernel=None),
    _windowed("pooling_nhwc_min", "nhwc", kernel=None),
    _windowed("pooling_nhwc_sum", "nhwc", kernel=None),
    _windowed("pooling_nchw_max", "nchw", kernel=None),
    _windowed("pooling_nchw_sum", "nchw", kernel=None),
    _windowed("pooling_nwc_sum", "nhc", kernel=None),
    _windowed("pooling_ncw_max", "nch", kernel=None),
    _windowed("depthwise_conv_1d_nwc_wc", "nhc", kernel="hc"),
    _windowed("depthwise_conv_2d_nhwc_hwc", "nhwc", kernel="hwc"),
    _windowed("depthwise_conv_2d_nchw_chw", "nchw", kernel="chw"),
    _windowed("conv_1d_nwc_wcf", "nhc", kernel="hcf"),
    _windowed("conv_2d_nchw_fchw", "nchw", kernel="fchw"),
    _windowed("conv_2d_nhwc_hwcf", "nhwc", kernel="hwcf"),
)
