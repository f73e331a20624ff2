"""What the service must not forget: devices and measurements, in SQLite or PostgreSQL, one schema by migrations.

To add a table (feedback, API keys): draw it in `tables.py`, then ``python -m costmodel.state.revision "what for"``
writes the migration that makes it, from the difference between the drawn tables and the migrated ones. Look through
it, raise `migrate.HEAD`, commit all three. Every process brings the database to the newest revision when it first needs
it; migrations only add, so that processes of the version before go on. A group of tables whose changes others watch
gets a row in `revisions` (see `Database.writing`).
"""

from costmodel.state.database import Database, default_url
from costmodel.state.devices import DeviceRecord, DeviceStore, Measurement, Version
from costmodel.state.errors import StateUnavailableError
from costmodel.state.idempotency import Idempotency, Remembered
from costmodel.state.keys import SCOPES, ApiKey, KeyStore

__all__ = [
    "SCOPES",
    "ApiKey",
    "Database",
    "DeviceRecord",
    "DeviceStore",
    "Idempotency",
    "KeyStore",
    "Measurement",
    "Remembered",
    "StateUnavailableError",
    "Version",
    "default_url",
]
