"""What can go wrong with the database."""

from __future__ import annotations


class StateUnavailableError(Exception):
    """The database does not answer now; what is in memory goes on answering, writes have to come again later."""
