"""devices, their versions and measurements, idempotency keys"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Only add: a process of the version before may still be running."""
    revisions = op.create_table(
        "revisions",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_revisions"),
    )
    op.bulk_insert(revisions, [{"name": "devices", "value": 1}])
    op.create_table(
        "devices",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("space", sa.String(40), nullable=False),
        sa.Column("target", sa.String(40), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("any_scale", sa.Boolean(), nullable=False),
        sa.Column("descriptor", sa.Text(), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("removed_at", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
    )
    living = sa.text("removed_at IS NULL")
    op.create_index(
        "uq_devices_living_name", "devices", ["name"], unique=True, sqlite_where=living, postgresql_where=living
    )
    op.create_table(
        "device_versions",
        sa.Column("device_id", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("learner", sa.String(40), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_device_versions_device_id"),
        sa.PrimaryKeyConstraint("device_id", "version", name="pk_device_versions"),
    )
    op.create_table(
        "measurements",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("device_id", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("file_field", sa.String(40)),
        sa.Column("file", sa.LargeBinary()),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("given_value", sa.Float(), nullable=False),
        sa.Column("given_unit", sa.String(20), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_measurements_device_id"),
        sa.PrimaryKeyConstraint("id", name="pk_measurements"),
        sa.UniqueConstraint("device_id", "version", "place", name="uq_measurements_device_id"),
    )
    op.create_index("ix_measurements_device_id", "measurements", ["device_id"])
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(200), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    """Back to an empty database."""
    for table in ("idempotency_keys", "measurements", "device_versions", "devices", "revisions"):
        op.drop_table(table)
