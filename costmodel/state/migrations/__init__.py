"""Alembic's environment, in the wheel; `costmodel.state.migrate` runs it."""
