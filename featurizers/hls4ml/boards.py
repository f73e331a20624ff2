"""FPGA parts and their limits, from the vendor's product tables (DS890, DS962, DS190, UltraScale+ selection guides).

`bram_18k` counts 18 Kb blocks as C-synthesis reports do: twice the number of 36 Kb tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from featurizers.errors import UnknownNameError


@dataclass(frozen=True, slots=True)
class Board:
    """A part's limits. name : short name of the part or of the board that carries it; series : '7', 'us' or 'us+'."""

    name: str
    part: str
    series: str
    lut: int
    ff: int
    dsp: int
    bram_18k: int
    uram: int = 0

    def limit(self, resource: str) -> int:
        """The limit of 'lut', 'ff', 'dsp', 'bram' (18 Kb blocks) or 'uram'."""
        return int(getattr(self, "bram_18k" if resource == "bram" else resource))


BOARDS: tuple[Board, ...] = (
    Board("pynq-z2", "xc7z020clg400-1", "7", 53_200, 106_400, 220, 280),
    Board("pynq-z1", "xc7z020clg400-1", "7", 53_200, 106_400, 220, 280),
    Board("zedboard", "xc7z020clg484-1", "7", 53_200, 106_400, 220, 280),
    Board("minized", "xc7z007sclg225-1", "7", 14_400, 28_800, 66, 100),
    Board("zybo-z7-10", "xc7z010clg400-1", "7", 17_600, 35_200, 80, 120),
    Board("arty-a7-35t", "xc7a35ticsg324-1l", "7", 20_800, 41_600, 90, 100),
    Board("arty-a7-100t", "xc7a100tcsg324-1", "7", 63_400, 126_800, 240, 270),
    Board("zc706", "xc7z045ffg900-2", "7", 218_600, 437_200, 900, 1_090),
    Board("kc705", "xc7k325tffg900-2", "7", 203_800, 407_600, 840, 890),
    Board("vc707", "xc7vx485tffg1761-2", "7", 303_600, 607_200, 2_800, 2_060),
    Board("vc709", "xc7vx690tffg1761-2", "7", 433_200, 866_400, 3_600, 2_940),
    Board("ku115", "xcku115-flvb2104-2-i", "us", 663_360, 1_326_720, 5_520, 4_320),
    Board("kcu105", "xcku040-ffva1156-2-e", "us", 242_400, 484_800, 1_920, 1_200),
    Board("zcu104", "xczu7ev-ffvc1156-2-e", "us+", 230_400, 460_800, 1_728, 624, 96),
    Board("zcu102", "xczu9eg-ffvb1156-2-e", "us+", 274_080, 548_160, 2_520, 1_824),
    Board("zcu106", "xczu7ev-ffvc1156-2-e", "us+", 230_400, 460_800, 1_728, 624, 96),
    Board("zcu111", "xczu28dr-ffvg1517-2-e", "us+", 425_280, 850_560, 4_272, 2_160, 80),
    Board("rfsoc4x2", "xczu48dr-ffvg1517-2-e", "us+", 425_280, 850_560, 4_272, 2_160, 80),
    Board("ultra96-v2", "xczu3eg-sbva484-1-i", "us+", 70_560, 141_120, 360, 432),
    Board("kv260", "xck26-sfvc784-2lv-c", "us+", 117_120, 234_240, 1_248, 288, 64),
    Board("vcu118", "xcvu9p-flga2104-2l-e", "us+", 1_182_240, 2_364_480, 6_840, 4_320, 960),
    Board("vu9p", "xcvu9p-flgb2104-2-i", "us+", 1_182_240, 2_364_480, 6_840, 4_320, 960),
    Board("vu13p", "xcvu13p-flga2577-2-e", "us+", 1_728_000, 3_456_000, 12_288, 5_376, 1_280),
    Board("alveo-u50", "xcu50-fsvh2104-2-e", "us+", 872_000, 1_743_000, 5_952, 2_688, 640),
    Board("alveo-u55c", "xcu55c-fsvh2892-2l-e", "us+", 1_303_680, 2_607_360, 9_024, 4_032, 960),
    Board("alveo-u200", "xcu200-fsgd2104-2-e", "us+", 1_182_240, 2_364_480, 6_840, 4_320, 960),
    Board("alveo-u250", "xcu250-figd2104-2l-e", "us+", 1_728_000, 3_456_000, 12_288, 5_376, 1_280),
    Board("alveo-u280", "xcu280-fsvh2892-2l-e", "us+", 1_303_680, 2_607_360, 9_024, 4_032, 960),
)


def _family(part: str) -> str:
    """The die: everything of a part's name before its package (``xcu250`` of ``xcu250-figd2104-2L-e``)."""
    head = part.lower().split("-")[0]
    for package in ("clg", "csg", "sclg", "ticsg", "tcsg", "ffg", "fbg", "fgg", "sbg", "ftg", "cpg", "sbv"):
        index = head.find(package, 5)
        if index > 0:
            head = head[:index]
    return head.removesuffix("t").removesuffix("ti") if head.startswith("xc7a") else head


@lru_cache(maxsize=1024)
def find_board(name: str) -> Board:
    """A board or part by any of its usual names; package, speed grade and temperature do not change the limits.

    Raises UnknownNameError: another part than the one asked for is never put in its place.

    >>> find_board("xcu250-figd2104-2L-e").name
    'alveo-u250'
    >>> find_board("ZCU102").dsp
    2520
    """
    wanted = name.strip().lower()
    short = wanted.replace("_", "-")
    for board in BOARDS:
        if short in (board.name, board.name.removeprefix("alveo-"), board.part) or wanted == board.part:
            return board
    for board in BOARDS:
        if wanted.startswith("xc") and _family(wanted) == _family(board.part):
            return board
    known = [board.name for board in BOARDS] + [board.part for board in BOARDS]
    raise UnknownNameError("part", name, known)
