"""Fetch wa-hls4ml from its hub, as ``costmodel datasets pull wa-hls4ml`` does. Non-commercial use only.

python datasets/wa_hls4ml/build.py --out DIR [--subset test]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from costmodel.hls4ml.hub import NOTICE, pull_collection


def main() -> int:
    """Download what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--subset", default="", help="only paths that begin with this, e.g. 'test'")
    given = parser.parse_args()
    print(NOTICE, file=sys.stderr)
    pull_collection(given.out, subset=given.subset)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
