"""``python -m costmodel.tracking.fetch``: champions that are newer than those known, into a folder, as JSON.

A process of its own, since MLflow costs a serving process 280 MB for a look at an alias.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from costmodel.tracking.champion import champion_of, download_bundle
from costmodel.tracking.store import connect, registered_name


def main() -> None:
    """Print ``{"champions": {kind: {"version", "folder"}}, "problems": {kind: text}}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("known", nargs="+", metavar="KIND=VERSION", help="version empty: none known")
    parser.add_argument("--into", type=Path, required=True)
    args = parser.parse_args()
    champions: dict[str, dict[str, str]] = {}
    problems: dict[str, str] = {}
    for kind, _, version in (entry.partition("=") for entry in args.known):
        try:
            found = champion_of(kind)
            if found is not None and str(found.version) != version:
                folder = args.into / f"{kind}-{found.version}"
                folder.mkdir(exist_ok=True)
                bundle = download_bundle(connect(), registered_name(kind), found, folder)
                champions[kind] = {"version": str(found.version), "folder": str(bundle)}
        except Exception as error:
            # Whatever a store raises is told to the caller, which goes on with what it has.
            problems[kind] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    print(json.dumps({"champions": champions, "problems": problems}))


if __name__ == "__main__":
    main()
