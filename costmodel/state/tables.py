"""The tables, as they are now. How a database gets there is in `migrations/`; a test holds both to each other.

Times are seconds since 1970 in UTC. Documents (descriptor, conditions, fit) are JSON text: their shape belongs to the
library, the database only keeps them.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

revisions = Table(
    "revisions",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Integer, nullable=False),
)
"""A number per group of tables, raised in every transaction that writes to it: what other processes watch. Its row is
the lock that puts such transactions in order."""

devices = Table(
    "devices",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("space", String(40), nullable=False),
    Column("target", String(40), nullable=False),
    Column("batch", Integer, nullable=False),
    Column("any_scale", Boolean, nullable=False),
    Column("descriptor", Text, nullable=False),
    Column("conditions", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("removed_at", Float),
)
Index(
    "uq_devices_living_name",
    devices.c.name,
    unique=True,
    sqlite_where=text("removed_at IS NULL"),
    postgresql_where=text("removed_at IS NULL"),
)

versions = Table(
    "device_versions",
    metadata,
    Column("device_id", String(32), ForeignKey("devices.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("learner", String(40), nullable=False),
    Column("report", Text, nullable=False),
)
"""report : what was said of the measurements that made the version: outliers, drift, fit."""

measurements = Table(
    "measurements",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("device_id", String(32), ForeignKey("devices.id"), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("file_field", String(40)),
    Column("file", LargeBinary),
    Column("value", Float, nullable=False),
    Column("given_value", Float, nullable=False),
    Column("given_unit", String(20), nullable=False),
    Column("conditions", Text, nullable=False),
    UniqueConstraint("device_id", "version", "place"),
)
"""subject : the raw input as JSON. file : its field `file_field`, which is bytes, compressed. value : in the target's
own unit."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", String(200), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request_digest", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False, index=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("scope", String(10), nullable=False),
    Column("secret_digest", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
)
"""secret_digest : SHA-256 of the secret, which is 32 random bytes and stands nowhere."""

reports = Table(
    "reports",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(40), nullable=False),
    Column("model", String(100), nullable=False),
    Column("model_version", String(60), nullable=False),
    Column("device", String(100), nullable=False),
    Column("target", String(60), nullable=False),
    Column("subject", Text, nullable=False),
    Column("file_field", String(40)),
    Column("file", LargeBinary),
    Column("measured", Float, nullable=False),
    Column("predicted", Float, nullable=False),
    Column("low", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column("coverage", Float, nullable=False),
    Column("in_domain", Boolean, nullable=False),
    Column("conditions", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)
"""What was measured of something that was predicted, beside the prediction by the model of that moment."""
Index("ix_reports_model_device_id", reports.c.model, reports.c.device, reports.c.id)
