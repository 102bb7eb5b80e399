"""Which of the two stores is right, where they are made to agree."""

from __future__ import annotations

from enum import StrEnum


class Direction(StrEnum):
    """From where to where."""

    TO_FIRESTORE = "postgresql_to_firestore"
    TO_POSTGRESQL = "firestore_to_postgresql"
