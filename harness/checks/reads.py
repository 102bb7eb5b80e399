"""What answers showed phones and probes, laid before the histories of their walks (``harness.checks.histories``). Pure.

docs/judging.md#reads. A list is a read of each of its walks, and its count an interval. It is a page of them, newest
first: from the first one a walk may be left out only for ``PAGE_WALKS`` others that may all be newer, and on the second
it is only with as many. What a write is answered is a read
after it. A canary's PUTs are alike, so ``updated_at`` tells them apart: a GET that shows that of no PUT fits any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from harness.base.ticks import NS
from harness.checks.histories import FOREVER, NEVER, Call, Search, Seen, WalkObject, WalkWrite, contradiction, writers
from harness.checks.sent import number_of, scheduled
from harness.checks.written import NotAsPlanned, Plans, UserWalks, WalkCalls, named
from harness.load.population.content import Content
from harness.load.population.walk import PAGE_WALKS
from harness.model.evidence import Operation, Outcome, ProbeRow, RequestRow, Side
from harness.model.message import Message, gettext_noop, message
from harness.model.shown import Shown, ShownWalk, parse

#: The status that says that there is no such walk: HTTP's, and gRPC's.
_NOT_THERE = {Side.API: 404, Side.FIRESTORE: 5}
_READS = frozenset({Operation.LIST_WALKS, Operation.GET_WALK})
_WITH_ANSWER = frozenset({Operation.PUT_WALK, Operation.CREATE_WALK})
#: A read so soon after the write sees what a target applies late.
SOON_NS = NS
#: So many contradictions are searched for their few calls.
_SHRUNK = 3


class ReadFlaw(StrEnum):
    """What is wrong with an answer, a message id."""

    OLD = gettext_noop("it is as before an acknowledged write")
    MISSING = gettext_noop("it is not shown, though its write was acknowledged")
    BACK = gettext_noop("it has gone back behind an answer before")
    RETURNED = gettext_noop("it was deleted, and is shown again")
    STRANGE = gettext_noop("it is as nobody wrote it")
    LOCATIONS = gettext_noop("its locations are not those written so far, in walking order")
    TWICE = gettext_noop("it is on the list twice")
    ORDER = gettext_noop("it is on the list after an older one")
    PAGE = gettext_noop("the second page does not have the walks behind the 20 newest")
    COUNT = gettext_noop("total_count is not the number of the user's walks")


class WrongRead(msgspec.Struct, frozen=True, kw_only=True):
    """A flaw of one answer. ``walk_id`` is "" where the flaw is the list's. ``story`` are the calls that contradict
    each other, where they were searched."""

    read: str
    walk_id: str
    flaw: ReadFlaw
    story: tuple[Message, ...] = ()

    @property
    def told(self) -> Message:
        """For people."""
        flaw = Message(text=self.flaw)
        if not self.walk_id:
            return message("{answer}: {flaw}", answer=self.read, flaw=flaw)
        return message("{answer}: walk {walk}: {flaw}", answer=self.read, walk=self.walk_id, flaw=flaw)


class Reads(msgspec.Struct, kw_only=True):
    """Answers judged: lists, single walks, what writes were answered, and probes'.

    ``bound`` are answers of the API to a list, a GET or a probe after an acknowledged write that would have been wrong
    if they had shown an older walk, ``dated`` those of probes among them, ``soon`` those within ``SOON_NS`` of the
    write; ``alike`` and ``undated`` (of probes) are those of which an older walk would have looked alike.
    ``crowded`` are walks with too much under way at once, of which ``unproved`` answers prove nothing. ``unread`` are
    good ones whose row does not tell what they showed; ``unmatched`` users' operations that do not fit the schedule.
    ``missing`` are requests and probes that others after them show to have been due, without a row.
    ``from_other_side`` are answers that show a write of the other side. ``wrong`` has one flaw an answer.
    """

    lists: int = 0
    walks: int = 0
    writes: int = 0
    probes: int = 0
    bound: int = 0
    dated: int = 0
    soon: int = 0
    alike: int = 0
    undated: int = 0
    crowded: int = 0
    unproved: int = 0
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
    def examples(self) -> list[WrongRead]:
        """All that is wrong; first one of each flaw."""
        first = {wrong.flaw: wrong for wrong in reversed(self.wrong)}
        return [*first.values(), *(wrong for wrong in self.wrong if wrong is not first[wrong.flaw])]


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
        pages = {row.operation_id: plans.page(row) for row in ordered if row.operation is Operation.LIST_WALKS}
        for side, walks in written.items():
            _Side(walks, pages, found).judge([row for row in ordered if row.side is side])
    return found


def probe_reads(probes: Iterable[ProbeRow], contents: Mapping[str, Content], found: Reads) -> None:
    """Adds to ``found`` what probes saw. ``contents`` by canary: what each of its PUTs leaves, without a location."""
    by_user: defaultdict[str, dict[int, ProbeRow]] = defaultdict(dict)
    numbers = set()
    for probe in probes:
        by_user[probe.user].setdefault(probe.probe_id, probe)
        numbers.add(probe.probe_id)
    found.missing += max(numbers, default=-1) + 1 - len(numbers)
    for user, own in by_user.items():
        if user in contents:
            _probed([*own.values()], contents[user], found)


class _Answer(msgspec.Struct, kw_only=True, eq=False):
    """An answer with its reads, by walk; ``listed`` are the walks of a list, in its order, and ``total`` its count.
    ``probe``: of a canary."""

    read: str
    row: RequestRow | ProbeRow
    reads: dict[str, Call] = {}
    listed: Sequence[str] | None = None
    page: int = 1
    total: int | None = None
    unnamed: int = 0
    probe: bool = False
    counts: bool = True
    flaws: list[tuple[int, str, ReadFlaw]] = []


class _Judge:
    """Searches walks, and lays what was found before their answers."""

    def __init__(self, walks: Mapping[str, WalkCalls], found: Reads) -> None:
        self._walks = walks
        self._found = found
        self._searched: dict[str, Search] = {}

    def judge(self, answers: Iterable[_Answer]) -> None:
        """Counts each answer's proof, and what is wrong with it."""
        given = [*answers]
        asked = {walk_id for each in given for walk_id in each.reads}
        self._searched = {
            walk_id: Search(each.walk, each.calls) for walk_id, each in self._walks.items() if walk_id in asked
        }
        self._found.crowded += sum(bool(search.unproved) for search in self._searched.values())
        unproved = {call for search in self._searched.values() for call in search.unproved}
        for answer in given:
            self._found.unproved += not unproved.isdisjoint(answer.reads.values())
            self._proof(answer)
            if flaws := sorted(self._flaws(answer), key=lambda each: each[0]):
                _, walk_id, flaw = flaws[0]
                story = self._story(walk_id, answer.reads.get(walk_id)) if len(self._found.wrong) < _SHRUNK else ()
                self._found.wrong.append(WrongRead(read=answer.read, walk_id=walk_id, flaw=flaw, story=story))

    def _proof(self, answer: _Answer) -> None:
        found = [(self._searched[walk_id], call) for walk_id, call in answer.reads.items()]
        self._found.from_other_side += any(call in search.other_side for search, call in found)
        told = [search.told[call] for search, call in found if call in search.told]
        if answer.counts and told:
            self._found.bound += 1
            self._found.dated += answer.probe
            self._found.soon += min(told) <= SOON_NS
        elif answer.counts and any(call in search.alike for search, call in found):
            self._found.alike += 1
            self._found.undated += answer.probe

    def _flaws(self, answer: _Answer) -> Iterator[tuple[int, str, ReadFlaw]]:
        """Each with its place among those of the answer, of which the first is told."""
        yield from answer.flaws
        for place, (walk_id, call) in enumerate(answer.reads.items()):
            if call in self._searched[walk_id].wrong:
                assert call.sees is not None
                absent = answer.listed is not None and not call.sees.there
                yield (FOREVER if absent else place), walk_id, self._why(walk_id, call)
        if answer.listed is not None:
            yield from self._of_list(answer, answer.listed)

    def _of_list(self, answer: _Answer, listed: Sequence[str]) -> Iterator[tuple[int, str, ReadFlaw]]:
        """Newest first, as far as it is certain which walk is older; each once, and all counted."""
        if len({*listed}) < len(listed):
            yield FOREVER - 2, "", ReadFlaw.TWICE
        latest_ns = FOREVER
        for walk_id in listed:
            first_ns, last_ns = self._walks[walk_id].created_ns if walk_id in self._walks else (NEVER, FOREVER)
            if latest_ns <= first_ns:
                yield FOREVER - 1, walk_id, ReadFlaw.ORDER
            latest_ns = min(latest_ns, last_ns)
        if answer.total is not None:
            unsure = {True, False}
            there = [self._searched[walk_id].present.get(call, unsure) for walk_id, call in answer.reads.items()]
            least, most = (sum(each == {True} for each in there), sum(True in each for each in there))
            if answer.page > 1 and len(listed) < min(PAGE_WALKS, least - PAGE_WALKS):
                yield FOREVER, "", ReadFlaw.PAGE
            if not least <= answer.total <= most + answer.unnamed:
                yield FOREVER + 1, "", ReadFlaw.COUNT

    def _before(self, walk_id: str, read: Call) -> list[Call]:
        """The calls that ``read`` was found to contradict, with it."""
        out = {*self._searched[walk_id].wrong} - {read}
        return [call for call in self._walks[walk_id].calls if call not in out]

    def _why(self, walk_id: str, read: Call) -> ReadFlaw:
        sees, walk, calls = read.sees, self._walks[walk_id].walk, self._before(walk_id, read)
        assert sees is not None
        done = [call for call in calls if call.acknowledged and (call.end_ns <= read.begin_ns or call is read.after)]
        last = max(done, key=lambda call: call.end_ns, default=None)
        if not sees.there:
            return ReadFlaw.MISSING if any(_leaves(call) for call in done) else ReadFlaw.BACK
        if not (by := writers(walk, calls, read)):
            return ReadFlaw.STRANGE
        plain = msgspec.structs.replace(read, sees=msgspec.structs.replace(sees, locations=None))
        if sees.locations is not None and not Search(walk, [plain if call is read else call for call in calls]).wrong:
            return ReadFlaw.LOCATIONS
        if last is not None and not _leaves(last):
            return ReadFlaw.RETURNED
        return ReadFlaw.OLD if any(_all_before(by, call) for call in done) else ReadFlaw.BACK

    def _story(self, walk_id: str, read: Call | None) -> tuple[Message, ...]:
        if read is None or read not in self._searched[walk_id].wrong:
            return ()
        walk, calls = self._walks[walk_id].walk, self._before(walk_id, read)
        told = contradiction(walk, calls, read)
        zero_ns = min((call.begin_ns for call in told if call.begin_ns > NEVER), default=0)
        return tuple(_told(call, zero_ns, walk, calls) for call in told)


def _leaves(call: Call) -> bool:
    """Whether it is a write after which the walk is there."""
    return call.does is not None and bool(call.does.contents)


def _all_before(by: Iterable[Call], write: Call) -> bool:
    return all(call.begin_ns < write.begin_ns and not call.often for call in by)


def _told(call: Call, zero_ns: int, walk: WalkObject, calls: Sequence[Call]) -> Message:
    """A call of a contradiction, for people: from when to when, in seconds, and what."""
    begun, ended = (
        f"{(at_ns - zero_ns) / NS:.3f}" if NEVER < at_ns < FOREVER else "–" for at_ns in (call.begin_ns, call.end_ns)
    )
    if call.does is not None:
        what = message("not acknowledged") if call.end_ns == FOREVER else message("acknowledged")
        what = message("of the other side, or not in evidence") if call.often else what
    else:
        assert call.sees is not None
        by = [each.name for each in writers(walk, calls, call)] if call.sees.there else []
        shows = message("it shows what {write} wrote", write=by[-1]) if by else message("it shows what nobody wrote")
        what = shows if call.sees.there else message("it does not show the walk")
    return message("{begun} s to {ended} s: {call}: {what}", begun=begun, ended=ended, call=call.name, what=what)


class _Side:
    """The answers to one user on one side."""

    def __init__(self, walks: UserWalks, pages: Mapping[str, int], found: Reads) -> None:
        self._walks = walks
        self._pages = pages
        self._found = found

    def judge(self, rows: Iterable[RequestRow]) -> None:
        """``rows`` in the order in which they were sent."""
        answers = [answer for row in rows if (answer := self._answer(row)) is not None]
        for answer in answers:
            if answer.listed is not None:
                self._left_out(answer, answer.listed)
        _Judge(self._walks.walks, self._found).judge(answers)

    def _answer(self, row: RequestRow) -> _Answer | None:
        """Counts it; ``None`` of one that shows nothing. Firestore answers a write with nothing."""
        found, written = self._found, row.operation in _WITH_ANSWER
        answer = _Answer(read=named(row), row=row, counts=row.side is Side.API and not written)
        answer.page = self._pages.get(row.operation_id, 1)
        if row.operation is Operation.GET_WALK and row.status == _NOT_THERE[row.side]:
            found.walks += 1
            self._read(answer, row.walk_id.lower(), Seen(there=False))
            return answer
        if row.outcome is not Outcome.OK or not (row.operation in _READS or (written and row.side is Side.API)):
            return None
        shown = parse(row.shown)
        if shown is None:
            found.unread += 1
            return None
        found.lists += row.operation is Operation.LIST_WALKS
        found.walks += row.operation is Operation.GET_WALK
        found.writes += written
        self._show(answer, shown)
        return answer

    def _show(self, answer: _Answer, shown: Shown) -> None:
        if self._lists(answer):
            answer.listed, answer.total = [walk.id for walk in shown.walks], shown.total
        for place, walk in enumerate(shown.walks):
            if self._walks.find(walk.id, walk.content, answer.row.done_ns) is None:
                answer.flaws.append((place, walk.id, ReadFlaw.STRANGE))
            elif walk.id not in answer.reads:
                self._read(answer, walk.id, Seen(content=walk.content, locations=walk.locations))
        answer.unnamed = sum(call.begin_ns <= answer.row.done_ns for call in self._walks.unnamed)

    def _lists(self, answer: _Answer) -> bool:
        return isinstance(answer.row, RequestRow) and answer.row.operation is Operation.LIST_WALKS

    def _left_out(self, answer: _Answer, listed: Sequence[str]) -> None:
        """What a list says of the walks that are not on it: nothing of those for which there is no place."""
        walks, full = self._walks.walks, len(listed) >= PAGE_WALKS
        made_ns = [walks[each].created_ns for each in listed if each in walks]
        oldest_ns, newest_ns = (
            min((each[1] for each in made_ns), default=NEVER),
            max(made_ns, default=(NEVER, NEVER))[0],
        )
        for walk_id, each in walks.items():
            begun = any(call.begin_ns <= answer.row.done_ns for call in each.calls if call.does is not None)
            if walk_id not in answer.reads and begun:
                no_place = full and oldest_ns > each.created_ns[0]
                no_place |= answer.page > 1 and newest_ns <= each.created_ns[1]  # it may be on the page before
                self._read(answer, walk_id, Seen(there=None if no_place else False))
        for place, walk_id in enumerate(listed if answer.page > 1 else ()):
            since_ns = walks[walk_id].created_ns[0] if walk_id in walks else FOREVER
            newer = sum(each.created_ns[1] > since_ns for other, each in walks.items() if other != walk_id)
            if walk_id in walks and newer + answer.unnamed < PAGE_WALKS:
                answer.flaws.append((place, walk_id, ReadFlaw.PAGE))

    def _read(self, answer: _Answer, walk_id: str, sees: Seen) -> None:
        if walk_id in self._walks.walks:
            calls, row = self._walks.walks[walk_id].calls, answer.row
            own = (call for call in calls if call.name == answer.read and call.acknowledged)
            read = Call(
                name=answer.read, begin_ns=row.sent_ns, end_ns=row.done_ns, sees=sees, after=next(own, None),
                counts=answer.total is not None,
            )  # fmt: skip
            answer.reads[walk_id] = read
            calls.append(read)


def _probed(probes: Sequence[ProbeRow], content: Content, found: Reads) -> None:
    """What one canary saw of its walk. What it was not told of, or what is not in evidence, may be there all the time:
    it has a time that no PUT was answered with."""
    said = WalkWrite(contents=(content,), version="?")
    walk = WalkCalls(WalkObject(), [Call(name="", begin_ns=NEVER, does=said, often=True)])
    puts = [put for each in probes if each.good and each.method == "PUT" and (put := _walk(each)) is not None]
    versions = {each.version for each in puts}
    walk_id, answers = next((each.id for each in puts), ""), []
    for probe in sorted(probes, key=lambda each: each.sent_ns):
        absent = probe.method == "GET" and probe.status == _NOT_THERE[Side.API]
        if not probe.good and not absent:
            continue
        shown, writes = _walk(probe), probe.method == "PUT"
        own, name = None, f"probe {probe.probe_id} ({probe.method} of {probe.user})"
        if writes:
            does = msgspec.structs.replace(said, version=shown.version if shown is not None else "")
            own = Call(name=name, begin_ns=probe.sent_ns, end_ns=probe.done_ns, does=does)
            walk.calls.append(own)
        if shown is None and not absent:
            found.unread += 1
            continue
        found.probes += 1
        sees = Seen(there=False)
        if shown is not None:
            version = shown.version if shown.version in versions else ""
            sees = Seen(content=shown.content, locations=shown.locations, version=version)
        read = Call(name=name, begin_ns=probe.sent_ns, end_ns=probe.done_ns, sees=sees, after=own)
        walk.calls.append(read)
        answers.append(_Answer(read=name, row=probe, reads={walk_id: read}, probe=True, counts=not writes))
    _Judge({walk_id: walk}, found).judge(answers)


def _walk(probe: ProbeRow) -> ShownWalk | None:
    shown = parse(probe.shown)
    if shown is None or not shown.walks:
        return None
    return msgspec.structs.replace(shown.walks[0], version=_instant(shown.walks[0].version))


def _instant(version: str) -> str:
    """An ``updated_at`` as one text for each instant, to the microsecond: targets write one in several ways."""
    try:
        return datetime.fromisoformat(version).astimezone(UTC).isoformat()
    except ValueError:
        return version
