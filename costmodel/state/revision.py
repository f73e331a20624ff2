"""Write the next migration: ``python -m costmodel.state.revision "feedback: measured values"``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from costmodel.state.database import Database
from costmodel.state.migrate import HEAD, config


def main(arguments: list[str]) -> None:
    """The difference between `tables.py` and the migrations so far, as a numbered file to look through and commit."""
    from alembic import command

    if len(arguments) != 1:
        raise SystemExit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'state.db'}")
        with database.reading() as connection:
            script = command.revision(
                config(connection), arguments[0], autogenerate=True, rev_id=f"{int(HEAD) + 1:04d}"
            )
        database.close()
    print(f"{getattr(script, 'path', script)}: look through it, and raise HEAD in costmodel/state/migrate.py.")


if __name__ == "__main__":
    main(sys.argv[1:])
