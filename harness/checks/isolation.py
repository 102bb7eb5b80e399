"""Does anybody see or change another's walk? From the answers that users got, and what was asked on purpose. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.model.message import Told, message

_READS = frozenset({Operation.LIST_WALKS, Operation.GET_WALK})
_NOT_FOUND, _TOO_MANY = 404, 429


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A user's GET of another's walk, its PUT onto it, and whether the walk is as before. Status 0: no answer."""

    user: str
    owner: str
    walk_id: str
    get_status: int
    put_status: int
    changed: bool

    @property
    def crossed(self) -> bool:
        """Whether the walk was handed out or changed. Any other wrong answer shows nothing of it to anybody."""
        return _good(self.get_status) or self.changed

    @property
    def unanswered(self) -> bool:
        """Whether an answer is missing, or is the service's trouble (5xx, 429), which says nothing of ownership."""
        return any(_says_nothing(status) for status in (self.get_status, self.put_status))

    @property
    def wrong(self) -> str:
        """What was not as the contract says; "" when nothing was."""
        told = [
            f"{method} answered {status}"
            for method, status in (("GET", self.get_status), ("PUT", self.put_status))
            if status != _NOT_FOUND and not _says_nothing(status)
        ]
        told += ["the walk changed"] if self.changed else []
        return f"{self.user} on walk {self.walk_id} of {self.owner}: {', '.join(told)}" if told else ""


def _good(status: int) -> bool:
    return 200 <= status < 300


def _says_nothing(status: int) -> bool:
    return status in (0, _TOO_MANY) or status >= 500


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """``answered`` reads held by the phones against their own user, ``asked`` on purpose, ``unanswered`` of those.

    ``wrong`` are all, the gravest first: ``crossed`` of them are walks that another user got or changed, ``odd`` others
    asked for on purpose whose answer was not the contract's 404, and the rest answers to phones that are not the user's
    own or are malformed.
    """

    answered: int
    asked: int
    unanswered: int
    wrong: tuple[str, ...]
    crossed: int = 0
    odd: int = 0

    @property
    def told(self) -> Told:
        """All counts, for people."""
        counts = message(
            "{answered} lists and walks answered: {bad} not the user's own, or malformed; {asked} walks of others "
            "asked for: {crossed} handed out or changed, {odd} not so, but answered otherwise than with 404",
            answered=str(self.answered),
            bad=str(len(self.wrong) - self.crossed - self.odd),
            asked=str(self.asked),
            crossed=str(self.crossed),
            odd=str(self.odd),
        )
        more = message("{count} of those were not answered, or with 5xx or 429", count=str(self.unanswered))
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
    answered, bad = reads
    crossed = [each.wrong for each in asked if each.crossed]
    odd = [each.wrong for each in asked if each.wrong and not each.crossed]
    return Isolation(
        answered=answered,
        asked=len(asked),
        unanswered=sum(each.unanswered for each in asked),
        wrong=(*crossed, *bad, *odd),
        crossed=len(crossed),
        odd=len(odd),
    )
