"""Does anybody see or change another's walk? And are answers otherwise as the contract says? Pure.

Three findings that are never mixed: data of another user was handed out or changed (``leaked``); a status is not the
contract's (``statuses``); a body is not the contract's (``bodies``). Each example says what was asked and what was
answered. From the answers that phones got, and from what was asked on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.model.evidence import Operation, Outcome, ProbeRow, RequestRow, Side, Wire, probe_call
from harness.model.message import Message, Told, joined, message

_NOT_FOUND, _TOO_MANY = 404, 429
#: The contract's success of each call (docs/contract/walk-api.md, "HTTP").
_SUCCESS = {Operation.CREATE_WALK: 201, Operation.DELETE_WALK: 204}
_CALL = {
    Operation.LIST_WALKS: "GET /v1/walks",
    Operation.CREATE_WALK: "POST /v1/walks",
    Operation.GET_WALK: "GET /v1/walks/{walk_id}",
    Operation.PUT_WALK: "PUT /v1/walks/{walk_id}",
    Operation.DELETE_WALK: "DELETE /v1/walks/{walk_id}",
}
_ANSWERED = frozenset({Outcome.OK, Outcome.BAD_ANSWER, Outcome.FOREIGN_ANSWER})
#: What of the wire is no contract's body; what cut an answer short, or kept it from coming, is a failed request.
_LENGTH = {
    Wire.BEHIND: message("and bytes behind it, or behind the answer before it"),
    Wire.TOO_LONG: message("longer than a client reads"),
}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What one request for another's walk came to: the beginning of the body, and whether the body tells of the walk.

    Status 0: no answer.
    """

    method: str
    status: int
    body: str = ""
    shows: bool = False

    @property
    def silent(self) -> bool:
        """No answer, or the service's trouble (5xx, 429), which says nothing of ownership."""
        return not self.shows and (self.status in (0, _TOO_MANY) or self.status >= 500)


class CrossUserCall(msgspec.Struct, frozen=True, kw_only=True):
    """A user's GET of another's walk, its PUT onto it, and whether the walk is as before: ``None`` where that could
    not be read.
    """

    user: str
    owner: str
    walk_id: str
    get: Reply
    put: Reply
    changed: bool | None

    @property
    def leaked(self) -> Told:
        """What was handed out or changed; () for nothing."""
        told = [self._told(each) for each in (self.get, self.put) if each.shows]
        told += [message("{call}, and the walk changed", call=self._told(self.put))] if self.changed else []
        return tuple(told)

    @property
    def odd(self) -> Told:
        """The answers that were not the contract's 404; () for none."""
        wrong = [each for each in (self.get, self.put) if each.status != _NOT_FOUND and not each.silent]
        return tuple(
            message("{call}, must be {status}", call=self._told(each), status=str(_NOT_FOUND)) for each in wrong
        )

    @property
    def unanswered(self) -> bool:
        """Whether an answer is missing that would say something."""
        return self.get.silent or self.put.silent

    def _told(self, reply: Reply) -> Message:
        return message(
            "{call} of {owner} asked by {user}: {answer}",
            call=f"{reply.method} /v1/walks/{self.walk_id}",
            owner=self.owner,
            user=self.user,
            answer=f"{reply.status} {reply.body}".rstrip(),
        )


class AnswerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The API's answers to phones and probes: how many had a status below 400, and the wrong ones of each kind, as
    examples, whatever their status."""

    answered: int = 0
    leaked: Told = ()
    statuses: Told = ()
    bodies: Told = ()


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """``asked`` walks of others on purpose, ``unanswered`` and ``unseen`` of those: that is, not known whether changed.

    ``leaked``, ``statuses`` and ``bodies`` are examples, all there are, of phones and of what was asked on purpose.
    """

    answered: int
    asked: int
    unanswered: int
    unseen: int
    leaked: Told
    statuses: Told
    bodies: Told

    @property
    def told_of_leaks(self) -> Told:
        """For people."""
        counts = message(
            "{answered} answers to phones and {asked} walks of others asked for: {leaked} handed out or changed what "
            "is another user's",
            answered=f"{self.answered:,}",
            asked=f"{self.asked:,}",
            leaked=f"{len(self.leaked):,}",
        )
        more: Told = ()
        if self.unanswered:
            more += (message("{count} of those were not answered, or with 5xx or 429", count=f"{self.unanswered:,}"),)
        if self.unseen:
            more += (message("of {count} it could not be read whether they changed", count=f"{self.unseen:,}"),)
        return (counts, *more)

    @property
    def told_of_statuses(self) -> Told:
        """For people."""
        return (
            message(
                "{answered} answers to phones and {asked} walks of others asked for: {wrong} with another status than "
                "the contract's",
                answered=f"{self.answered:,}",
                asked=f"{self.asked:,}",
                wrong=f"{len(self.statuses):,}",
            ),
        )

    @property
    def told_of_bodies(self) -> Told:
        """For people. No more of a body is looked at under load; a walk's content ``reads`` judges."""
        return (
            message(
                "{answered} answers to phones: {wrong} with another body than the contract's",
                answered=f"{self.answered:,}",
                wrong=f"{len(self.bodies):,}",
            ),
            message(
                "each but an empty one was looked at for JSON with id, owner, title and status, a list also for its "
                "counts, a walk read "
                "alone for its list of locations; conformance looks at the whole body"
            ),
        )


def wrong_answers(rows: Iterable[object]) -> AnswerCounts:
    """Of the evidence's requests and probes. What was refused (4xx, 5xx), or never came whole, is an error of the error
    ratio, and here only for what it told of another or for bytes behind it."""
    answered = 0
    leaked, statuses, bodies = list[Message](), list[Message](), list[Message]()
    for row in rows:
        if not isinstance(row, ProbeRow) and (not isinstance(row, RequestRow) or row.side is not Side.API):
            continue
        answered += row.outcome in _ANSWERED and isinstance(row, RequestRow)
        wanted = _SUCCESS.get(row.operation, 200) if isinstance(row, RequestRow) else 200
        if row.outcome is Outcome.FOREIGN_ANSWER:
            leaked.append(_example(row))
        elif row.wire in _LENGTH:
            bodies.append(message("{call}, {words}", call=_example(row), words=_LENGTH[row.wire]))
        elif row.outcome is Outcome.BAD_ANSWER and row.status != wanted:
            statuses.append(message("{call}, must be {status}", call=_example(row), status=str(wanted)))
        elif row.outcome is Outcome.BAD_ANSWER:
            bodies.append(_example(row))
    return AnswerCounts(answered=answered, leaked=tuple(leaked), statuses=tuple(statuses), bodies=tuple(bodies))


def _example(row: RequestRow | ProbeRow) -> Message:
    if isinstance(row, ProbeRow):
        call, named = f"{row.method} /v1/walks/{{walk_id}}", probe_call(row.probe_id)
    else:
        call, named = _CALL[row.operation].format(walk_id=row.walk_id), row.operation_id
    return message(
        "{call} by {user} ({operation}): {status} {body}",
        call=call,
        user=row.user,
        operation=named,
        status=str(row.status),
        body=row.shown or message("an empty body"),
    )


def isolation(answers: AnswerCounts, asked: Sequence[CrossUserCall]) -> Isolation:
    """All that was seen, the gravest first."""
    return Isolation(
        answered=answers.answered,
        asked=len(asked),
        unanswered=sum(each.unanswered for each in asked),
        unseen=sum(each.changed is None for each in asked),
        leaked=(*(joined(each.leaked) for each in asked if each.leaked), *answers.leaked),
        statuses=(*(joined(each.odd) for each in asked if each.odd), *answers.statuses),
        bodies=answers.bodies,
    )
