"""Does anybody see or change another's walk? From the answers that users got, and what was asked on purpose. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.model.message import Told, message

_READS = frozenset({Operation.LIST_WALKS, Operation.GET_WALK})
_NOT_FOUND = 404


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A user's GET of another's walk, its PUT onto it, and whether the walk is as before. Status 0: no answer."""

    user: str
    owner: str
    walk_id: str
    get_status: int
    put_status: int
    changed: bool

    @property
    def wrong(self) -> str:
        """What was not as the contract says; "" when nothing was."""
        told = [f"GET answered {self.get_status}"] if self.get_status not in (_NOT_FOUND, 0) else []
        told += [f"PUT answered {self.put_status}"] if self.put_status not in (_NOT_FOUND, 0) else []
        told += ["the walk changed"] if self.changed else []
        return f"{self.user} on walk {self.walk_id} of {self.owner}: {', '.join(told)}" if told else ""


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """``answered`` reads held by the phones against their own user, ``asked`` on purpose, ``unanswered`` of those."""

    answered: int
    asked: int
    unanswered: int
    wrong: tuple[str, ...]

    @property
    def told(self) -> Told:
        """All counts, for people."""
        counts = message(
            "{answered} lists and walks answered, {asked} walks of others asked for: {wrong} wrong",
            answered=str(self.answered),
            asked=str(self.asked),
            wrong=str(len(self.wrong)),
        )
        more = message("{count} of those were not answered", count=str(self.unanswered))
        return (counts, more) if self.unanswered else (counts,)


def foreign_answers(rows: Iterable[object]) -> tuple[int, tuple[str, ...]]:
    """Reads of the API that were answered with success, and those of them that a phone found not its own.

    A phone calls an answer bad that names another user or walk, and one that is malformed: the evidence tells both
    alike, so both are wrong here.
    """
    answered, wrong = 0, []
    for row in rows:
        if not isinstance(row, RequestRow) or row.side is not Side.API or row.operation not in _READS:
            continue
        answered += row.outcome in (Outcome.OK, Outcome.BAD_ANSWER)
        if row.outcome is Outcome.BAD_ANSWER:
            wrong.append(
                f"{row.operation_id} ({row.operation}) got an answer that is not {row.user}'s, or is malformed"
            )
    return answered, tuple(wrong)


def isolation(reads: tuple[int, Sequence[str]], asked: Sequence[Asked]) -> Isolation:
    """``reads`` as ``foreign_answers`` gives them."""
    answered, wrong = reads
    return Isolation(
        answered=answered,
        asked=len(asked),
        unanswered=sum(not (each.get_status and each.put_status) for each in asked),
        wrong=(*wrong, *(each.wrong for each in asked if each.wrong)),
    )
