"""What becomes of a document that is moved to PostgreSQL, by the version rule. Pure."""

from __future__ import annotations

from enum import StrEnum

from harness.model.message import Message, message

OTHER_CONTENT = message("PostgreSQL holds other content of the same version")
CLOCKS = message(
    "its updated_at and Firestore's own time disagree on whether it or the walk was written last, as of a wrong clock: "
    "the walk stays as it is"
)


class Fate(StrEnum):
    """``harness.migration.statements.DECIDE`` says which."""

    NEW = "new"  # PostgreSQL had no such row
    NEWER = "newer"  # an older walk was replaced
    SAME = "same"  # PostgreSQL has this version
    OLDER = "older"  # PostgreSQL has a later one, which stays
    OVERTAKEN = "overtaken"  # the API wrote it at the same moment; the next look decides
    DISPUTED = "disputed"  # by updated_at and by Firestore's own time not the same of the two is later
    DELETED = "deleted"  # it was moved, and its row is gone since
    FEWER = "fewer"  # the later document has fewer locations than the walk
    DIFFERENT = "different"  # of one version or one id, and not of one content

    @property
    def written(self) -> bool:
        """Whether a row was written of it."""
        return self in (Fate.NEW, Fate.NEWER)

    @property
    def counted(self) -> Fate:
        """As what people are told of it: the walk of one that is disputed stays, as that of an older one."""
        return Fate.OLDER if self is Fate.DISPUTED else self

    @property
    def why(self) -> Message | None:
        """Why a person has to decide; ``None`` where nobody has to."""
        return _WHY.get(self)


_WHY = {
    Fate.DISPUTED: CLOCKS,
    Fate.DELETED: message("was moved before, and its walk was deleted in PostgreSQL since: it is not brought back"),
    Fate.FEWER: message("was written later than the walk, and has fewer locations: nothing is taken away"),
    Fate.DIFFERENT: OTHER_CONTENT,
}
