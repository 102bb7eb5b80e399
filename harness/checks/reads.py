"""Does every answer show the writes of its user acknowledged before it was asked, and never go back? Pure.

docs/judging.md#reads: an answer must show every write of its user acknowledged before it was asked, in lists and
single walks, and never go back. It counts on the side that was asked; one on the other may be shown or not. A write
without an acknowledgement may be shown or not, and once shown it stays until a later write. A list is its first page,
newest first: a walk may be left out only for ``PAGE_WALKS`` others that may all be newer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from harness.checks.histories import NEVER, Asked, WalkHistory, fits
from harness.checks.sent import number_of, scheduled
from harness.checks.written import NotAsPlanned, Plans, UserWalks
from harness.load.population.walk import PAGE_WALKS
from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.model.message import Message, Told, marked, message
from harness.model.shown import Shown, ShownWalk, parse

#: The status that says that there is no such walk: HTTP's, and gRPC's.
_NOT_THERE = {Side.API: 404, Side.FIRESTORE: 5}
_READS = frozenset({Operation.LIST_WALKS, Operation.GET_WALK})
_WITH_ANSWER = frozenset({Operation.PUT_WALK, Operation.CREATE_WALK})


class Flaw(StrEnum):
    """What is wrong with an answer, a message id."""

    OLD = marked("it is as before an acknowledged write")
    MISSING = marked("it is not shown, though its write was acknowledged")
    BACK = marked("it has gone back behind an answer before")
    RETURNED = marked("it was deleted, and is shown again")
    STRANGE = marked("it is as nobody wrote it")
    LOCATIONS = marked("its locations are not those written so far, in walking order")
    TWICE = marked("it is on the list twice")
    ORDER = marked("it is on the list after an older one")
    COUNT = marked("total_count is not the number of the user's walks")


class WrongRead(msgspec.Struct, frozen=True, kw_only=True):
    """A flaw of one answer. ``walk_id`` is "" where the flaw is the list's."""

    read: str
    walk_id: str
    flaw: Flaw

    @property
    def told(self) -> Message:
        """For people."""
        flaw = Message(text=self.flaw)
        if not self.walk_id:
            return message("{answer}: {flaw}", answer=self.read, flaw=flaw)
        return message("{answer}: walk {walk}: {flaw}", answer=self.read, walk=self.walk_id, flaw=flaw)


class Reads(msgspec.Struct, kw_only=True):
    """Answers judged: lists, single walks, what writes were answered, and probes'.

    ``bound`` are answers of the API to a list, a GET or a probe that had an acknowledged write to show, and could be
    told from older ones, ``dated`` those of probes among them; ``alike`` are those of probes that could not, of which
    ``undated`` show what no PUT was answered with. ``unread`` are good ones whose row does not tell
    what they showed; ``unmatched`` users' operations that do not fit the schedule.
    ``missing`` are requests and probes that others after them show to have been due, without a row.
    ``from_other_side`` are answers that show a write of the other side. ``wrong`` has one flaw an answer.
    """

    lists: int = 0
    walks: int = 0
    writes: int = 0
    probes: int = 0
    bound: int = 0
    dated: int = 0
    alike: int = 0
    undated: int = 0
    unread: int = 0
    missing: int = 0
    from_other_side: int = 0
    unmatched: list[str] = []
    wrong: list[WrongRead] = []

    @property
    def judged(self) -> int:
        """All answers."""
        return self.lists + self.walks + self.writes + self.probes

    @property
    def unknown(self) -> bool:
        """Whether an answer, or what it showed, is not in evidence, or fits no schedule; or more of the probes' may be
        old than can be told from old ones."""
        return bool(self.unread or self.missing or self.unmatched or self.alike > self.dated)

    @property
    def examples(self) -> list[WrongRead]:
        """All that is wrong; first one of each flaw."""
        first = {wrong.flaw: wrong for wrong in reversed(self.wrong)}
        return [*first.values(), *(wrong for wrong in self.wrong if wrong is not first[wrong.flaw])]

    @property
    def told(self) -> Told:
        """All counts, for people."""
        told = [
            message(
                "{lists} lists, {walks} walks, {writes} answers to writes and {probes} probes judged, {bound} of them "
                "requested from the API after an acknowledged write: {wrong} wrong",
                lists=f"{self.lists:,}",
                walks=f"{self.walks:,}",
                writes=f"{self.writes:,}",
                probes=f"{self.probes:,}",
                bound=f"{self.bound:,}",
                wrong=f"{len(self.wrong):,}",
            )
        ]
        if self.undated:
            undated = message(
                "{count} more probes after one are not among them: they show no updated_at that a PUT was answered "
                "with, and may be older",
                count=f"{self.undated:,}",
            )
            told.append(undated)
        if self.alike > self.undated:
            alike = message(
                "{count} more may be older: the last PUT did not move updated_at on, or another was not answered",
                count=str(self.alike - self.undated),
            )
            told.append(alike)
        if self.from_other_side:
            told.append(message("{count} show a write of the other side", count=f"{self.from_other_side:,}"))
        if self.unread:
            told.append(message("what {count} of them showed is not known", count=f"{self.unread:,}"))
        if self.missing:
            told.append(message("{count} requests that were due have no row", count=f"{self.missing:,}"))
        if self.unmatched:
            count, first = str(len(self.unmatched)), self.unmatched[0]
            told.append(message("{count} users' requests do not fit the schedule: {first}", count=count, first=first))
        return tuple(told)


def reads(rows: Iterable[RequestRow], plans: Plans) -> Reads:
    """``rows`` are all requests of the population, in any order; a row that is there twice counts once."""
    by_user: defaultdict[str, dict[str, RequestRow]] = defaultdict(dict)
    for row in rows:
        by_user[row.user].setdefault(row.operation_id, row)
    found = Reads()
    for user, own in by_user.items():
        ordered = sorted(own.values(), key=lambda row: row.sent_ns)
        try:
            written = plans.written(user, ordered)
        except NotAsPlanned as error:
            found.unmatched.append(str(error))
            continue
        due = 1 + max(number_of(row.operation_id) for row in ordered)
        found.missing += due - len(scheduled(ordered))
        for row in ordered:
            _Reader(row, written[row.side], found).judge()
    return found


class _Reader:
    """One answer, laid before its user's histories."""

    def __init__(self, row: RequestRow, walks: UserWalks, found: Reads) -> None:
        self._row = row
        self._walks = walks
        self._found = found
        # What a write is answered shows the write itself.
        self._asked = Asked(row.done_ns if row.operation in _WITH_ANSWER else row.sent_ns, row.done_ns)
        self._flaws: list[WrongRead] = []
        self._foreign = False

    def judge(self) -> None:
        """Counts it, and what is wrong with it."""
        row, found = self._row, self._found
        if row.operation is Operation.GET_WALK and row.status == _NOT_THERE[row.side]:
            found.walks += 1
            self._count_bound([self._walks.walks.get(row.walk_id.lower())])
            self._absent(row.walk_id.lower())
        elif row.outcome is Outcome.OK and self._shows_walks():
            shown = parse(row.shown)
            if shown is None:
                found.unread += 1
            else:
                self._judge(shown)
        found.from_other_side += self._foreign
        found.wrong += self._flaws[:1]

    def _shows_walks(self) -> bool:
        """Firestore answers a write with nothing."""
        return self._row.operation in _READS or (self._row.operation in _WITH_ANSWER and self._row.side is Side.API)

    def _judge(self, shown: Shown) -> None:
        row, found = self._row, self._found
        if row.operation is Operation.LIST_WALKS:
            found.lists += 1
            self._count_bound(self._walks.walks.values())
            self._list(shown)
            return
        if row.operation is Operation.GET_WALK:
            found.walks += 1
            self._count_bound([self._walks.walks.get(row.walk_id.lower())])
        else:
            found.writes += 1
        for walk in shown.walks:
            self._present(walk)

    def _count_bound(self, histories: Iterable[WalkHistory | None]) -> None:
        if self._row.side is Side.API:
            self._found.bound += any(each is not None and each.bound(self._asked) for each in histories)

    def _list(self, shown: Shown) -> None:
        right_total = shown.total is None or self._total_right(shown.total)
        histories = [history for walk in shown.walks if (history := self._present(walk)) is not None]
        if len({id(each) for each in histories}) < len(histories):
            self._wrong("", Flaw.TWICE)
        self._order(shown.walks)
        oldest_ns = min((history.created_ns[1] for history in histories), default=NEVER)
        listed = {walk.id for walk in shown.walks}
        for walk_id, history in self._walks.walks.items():
            left_out = len(shown.walks) >= PAGE_WALKS and oldest_ns > history.created_ns[0]
            if walk_id not in listed and not left_out:
                self._absent(walk_id)
        if not right_total:
            self._wrong("", Flaw.COUNT)

    def _present(self, walk: ShownWalk) -> WalkHistory | None:
        history = self._walks.find(walk.id, walk.content, self._asked)
        if history is None or not history.written(walk.content, self._asked):
            self._wrong(walk.id, Flaw.STRANGE)
            return None
        states = [state for state in history.possible(self._asked) if fits(state, walk.content)]
        if not states:
            self._wrong(walk.id, self._why(history, walk.content))
            return history
        if walk.locations is not None and not history.locations_right(walk.locations, states, self._asked):
            self._wrong(walk.id, Flaw.LOCATIONS)
            return history
        self._foreign |= not any(state.here for state in states)
        history.show(states, self._asked)
        return history

    def _absent(self, walk_id: str) -> None:
        history = self._walks.walks.get(walk_id)
        if history is None:
            return
        states = [state for state in history.possible(self._asked) if fits(state, None)]
        if states:
            history.show(states, self._asked)
        else:
            self._wrong(walk_id, Flaw.BACK if history.behind(None, self._asked) else Flaw.MISSING)

    def _why(self, history: WalkHistory, content: str) -> Flaw:
        if history.deleted(self._asked):
            return Flaw.RETURNED
        return Flaw.BACK if history.behind(content, self._asked) else Flaw.OLD

    def _order(self, walks: Sequence[ShownWalk]) -> None:
        """Newest first, as far as it is certain which walk is older."""
        latest_ns: int | None = None
        for walk in walks:
            history = self._walks.walks.get(walk.id)
            if history is None:
                continue
            first_ns, last_ns = history.created_ns
            if latest_ns is not None and latest_ns <= first_ns:
                self._wrong(walk.id, Flaw.ORDER)
            latest_ns = last_ns if latest_ns is None else min(latest_ns, last_ns)

    def _total_right(self, total: int) -> bool:
        least, most = 0, sum(state.sent_ns <= self._asked.done_ns for state in self._walks.unnamed)
        for history in self._walks.walks.values():
            possible = history.possible(self._asked)
            least += all(state.contents for state in possible)
            most += any(state.contents for state in possible)
        return least <= total <= most

    def _wrong(self, walk_id: str, flaw: Flaw) -> None:
        row = self._row
        read = f"{row.operation_id} ({row.operation}, {row.side})"
        self._flaws.append(WrongRead(read=read, walk_id=walk_id, flaw=flaw))
