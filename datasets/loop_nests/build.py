"""Label the held-out loop nests of the benchmark ``mlir-pass``; run again, it goes on where it was.

python datasets/loop_nests/build.py --nests 231 --cpu znver4
"""

from __future__ import annotations

import argparse
from pathlib import Path

from costmodel.passes.mlir.nests import held_out, label_all

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nests", type=int, default=210)
    parser.add_argument("--cpu", default="znver4")
    parser.add_argument("--journal", type=Path, default=Path(__file__).with_name("data") / "labels.jsonl")
    arguments = parser.parse_args()
    label_all(held_out(arguments.nests), arguments.cpu, arguments.journal)
