"""Twenty targets that lie, in virtual time: none advances, and a check names each (docs/judging.md#what-is-seen)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.http1 import Answer
from harness.load.population.schedule import mark
from harness.model.evidence import Outcome, Wire
from harness.model.judgement import Decision, Verdict
from harness.run.scenarios.load import load
from harness.stack.sim.firestore import Mirror
from harness.stack.sim.service import Lie, NoAnswerFrom
from harness.stack.sim.world import PlantedFaults
from tests.sim.week import Week, week

pytestmark = pytest.mark.sim
PLAN = load(str(Path(__file__).with_name("lies.yaml")))
SEED = 5
ERRORS, SLOW, PROBES = "success.error_ratio", "success.latency_p95", "success.availability"
Change = Callable[[Answer, bytes], Answer]


def status(code: int) -> Change:
    """An error with the contract's body."""
    body = b'{"error":{"code":"INTERNAL_ERROR","message":"planted"}}'
    return lambda answer, _: msgspec.structs.replace(answer, status=code, body=body)


def broken(wire: Wire) -> Change:
    """No whole answer."""

    def change(_answer: Answer, _other: bytes) -> Answer:
        raise NoAnswerFrom(Outcome.BROKEN, wire)

    return change


def extra(text: bytes) -> Change:
    """A field that nobody asked for, with the name of another user where ``%s`` stands."""
    return lambda answer, other: msgspec.structs.replace(
        answer, body=answer.body[:-1] + b',"extra":' + text.replace(b"%s", other) + b"}"
    )


def users(change: Change, one_in: int = 1, method: str = "", first: int = 0, status_of: int = 0) -> PlantedFaults:
    """A change of one in so many answers to users (of a method, or of a status), after each one's ``first``."""
    seen = 0
    asked: dict[str, int] = {}

    def lie(asks: str, path: str, user: str, answer: Answer) -> Answer:
        nonlocal seen
        if user.startswith("canary") or not path.startswith("/v1/walks") or asks != (method or asks):
            return answer
        if status_of and answer.status != status_of:
            return answer
        asked[user] = asked.get(user, 0) + 1
        seen += asked[user] > first
        if asked[user] <= first or seen % one_in:
            return answer
        return change(answer, b"u0002" if user != "u0002" else b"u0003")

    return PlantedFaults(lie=lie)


def everybody(change: Callable[[str, str, Answer], Answer]) -> Lie:
    """A change of every answer, probes' too."""
    return lambda method, path, _user, answer: change(method, path, answer)


def undated(_method: str, _path: str, answer: Answer) -> Answer:
    body = re.sub(rb'"updated_at":"[^"]*"', b'"updated_at":"2026-01-01T00:00:00Z"', answer.body)
    return msgspec.structs.replace(answer, body=body)


def rewritten(walk: Callable[[dict[str, Any]], None], one_in: int = 1, first: int = 0) -> PlantedFaults:
    """A change of each walk in one of so many answers, to users and probes alike, after the ``first`` so many."""
    seen = 0

    def change(_method: str, path: str, answer: Answer) -> Answer:
        nonlocal seen
        if answer.status not in {200, 201} or not path.startswith("/v1/walks"):
            return answer
        body = json.loads(answer.body)
        seen += 1
        if seen <= first or seen % one_in:
            return answer
        for each in body.get("walks", [body]):
            walk(each)
        return msgspec.structs.replace(answer, body=json.dumps(body).encode())

    return PlantedFaults(lie=everybody(change))


def points(change: Callable[[list[dict[str, Any]]], None], one_in: int = 1) -> PlantedFaults:
    """A change of the locations in one of so many answers that have more than two."""
    seen = 0

    def track(walk: dict[str, Any]) -> None:
        nonlocal seen
        if len(walk.get("locations", ())) > 2:
            seen += 1
            if seen % one_in == 0:
                change(walk["locations"])

    return rewritten(track)


def another_track(locations: list[dict[str, Any]]) -> None:
    """As many points, of somebody who walked elsewhere."""
    for each in locations:
        each["latitude"], each["longitude"] = each["latitude"] + 0.02, each["longitude"] - 0.02


def rounded(locations: list[dict[str, Any]]) -> None:
    for each in locations:
        each["latitude"], each["longitude"] = round(each["latitude"], 4), round(each["longitude"], 4)


def swapped(locations: list[dict[str, Any]]) -> None:
    """Two inner ones; of three locations the last two."""
    locations[1], locations[2] = locations[2], locations[1]


def doubled(locations: list[dict[str, Any]]) -> None:
    """One of the inner ones in the place of the next, so that the first, the last and the count are right."""
    locations[1] = {**locations[0], "sequence_number": locations[1]["sequence_number"]}


def shifted(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(each: dict[str, Any]) -> None:
        for name in names:
            at = datetime.fromisoformat(each[name]) + timedelta(hours=9)
            each[name] = at.isoformat()

    return change


def each_shifted(locations: list[dict[str, Any]]) -> None:
    for each in locations:
        shifted("timestamp")(each)


def without_description(walk: dict[str, Any]) -> None:
    walk["description"] = None


def moving(name: str) -> Callable[[dict[str, Any]], None]:
    """A time of the server's that is another in each answer."""
    later: Iterator[int] = iter(range(10**6))

    def change(walk: dict[str, Any]) -> None:
        at = datetime.fromisoformat(walk[name]) + timedelta(milliseconds=100 * (next(later) % 7 + 1))
        walk[name] = at.isoformat()

    return change


def standing(walk: dict[str, Any]) -> None:
    walk["updated_at"] = walk["created_at"]


def late(one_in: int = 1) -> PlantedFaults:
    """One in so many PUTs is applied when the next 18 requests are answered, about a second after it is acknowledged."""
    newest, before, until = dict[str, Answer](), dict[str, Answer](), dict[str, int]()
    requests = puts = 0

    def change(method: str, path: str, answer: Answer) -> Answer:
        nonlocal requests, puts
        requests += 1
        if method == "PUT" and path in newest:
            puts += 1
            before[path], until[path] = newest[path], requests + 18 if puts % one_in == 0 else 0
        if method != "GET" or answer.status != 200 or not path.startswith("/v1/walks/"):
            return answer
        newest[path] = answer
        return before[path] if requests <= until.get(path, 0) else answer

    return PlantedFaults(lie=everybody(change))


CONTENT, SERVER, READS = "reads.content", "reads.server_fields", "reads.acknowledged"
#: What the target does, and the check or criterion that names it.
LIES: dict[str, tuple[PlantedFaults, str]] = {
    "answers each user's first request and no other": (users(status(500), first=1), ERRORS),
    "fails one request in thirty": (users(status(503), 30), ERRORS),
    "takes one token in thirty for none": (users(status(401), 30), ERRORS),
    "limits users below the contract's rate": (users(status(429), 30), ERRORS),
    "deletes nothing": (users(status(500), method="DELETE"), ERRORS),
    "takes three seconds for each request of a user": (PlantedFaults(slow=Fraction(1), slow_ms=3_000), SLOW),
    "is slow for one request in eight": (PlantedFaults(slow=Fraction(1, 8), slow_ms=900), SLOW),
    "never answers one request in thirty": (PlantedFaults(slow=Fraction(1, 30), slow_ms=11_000), ERRORS),
    "fails one probe in thirty": (PlantedFaults(unavailable=Fraction(1, 30)), PROBES),
    "cuts one body in thirty": (users(broken(Wire.CUT), 30), ERRORS),
    "closes one connection in thirty under a request": (users(broken(Wire.CLOSED), 30), ERRORS),
    "closes kept connections, so that clients send twice": (users(broken(Wire.CLOSED), 2), ERRORS),
    "sends bytes behind an answer": (
        users(lambda answer, _: msgspec.structs.replace(answer, behind=b"HTTP/1.1 200 OK\r\n\r\n"), 150), "walks.bodies",
    ),
    "names another user in a field": (users(extra(b'{"by":"%s"}'), 40, "GET"), "walks.isolation"),
    "shows another user's title": (
        users(lambda answer, other: extra(b'"Walk %b"' % mark(SEED, other.decode()).encode())(answer, other), 40, "GET"),
        "walks.isolation",
    ),
    "names another user in a header": (
        users(lambda answer, other: msgspec.structs.replace(answer, head=answer.head + b"\nx-cache: " + other), 150),
        "walks.isolation",
    ),
    "confirms one PUT in seven and loses it": (PlantedFaults(puts_lost=7), "writes.acknowledged"),
    "shows one read in ten as before the last write": (PlantedFaults(reads_old=10), "reads.acknowledged"),
    "applies each PUT a second after it is acknowledged": (late(), "reads.acknowledged"),
    "applies one PUT in a hundred a second after it is acknowledged": (late(100), "reads.acknowledged"),
    "dates every walk alike": (PlantedFaults(lie=everybody(undated)), "reads.acknowledged"),
    "answers another user's track": (points(another_track), CONTENT),
    "answers another user's track one time in twenty": (points(another_track, 20), CONTENT),
    "rounds coordinates to four decimals": (points(rounded), CONTENT),
    "rounds them one time in twenty": (points(rounded, 20), CONTENT),
    "swaps two inner locations": (points(swapped), CONTENT),
    "tells one location twice, one time in ten": (points(doubled, 10), CONTENT),
    "dates locations nine hours off": (points(each_shifted), CONTENT),
    "drops descriptions": (rewritten(without_description), READS),
    "makes created_at anew in one answer in a hundred": (rewritten(moving("created_at"), 100), SERVER),
    "moves updated_at without a write, one time in a hundred": (rewritten(moving("updated_at"), 100), SERVER),
    "keeps updated_at where it was": (rewritten(standing), SERVER),
    "dates walks nine hours off": (rewritten(shifted("created_at", "updated_at")), SERVER),
    "mirrors nothing": (PlantedFaults(documents_lost=1), "dual_write.documents"),
    "loses one mirror write in seven": (PlantedFaults(documents_lost=7), "dual_write.documents"),
}  # fmt: skip


def test_the_honest_target_advances(tmp_path: Path) -> None:
    found = week(tmp_path, PLAN, seed=SEED)
    assert found.run.decision is Decision.ADVANCE, found.why
    assert len(found.plan.criteria) == 5


@pytest.mark.parametrize("name", LIES)
def test_a_lie_does_not_advance_and_is_named(name: str, tmp_path: Path) -> None:
    planted, check = LIES[name]
    named(week(tmp_path, PLAN, seed=SEED, planted=planted), check)


def test_a_mirror_that_writes_one_in_a_hundred_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, seen = Mirror.write, 0

    async def seldom(self: Mirror, *arguments: object) -> None:
        nonlocal seen
        seen += 1
        if seen % 100 == 0:
            await write(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Mirror, "write", seldom)
    named(week(tmp_path, PLAN, seed=SEED), "dual_write.documents")


def named(found: Week, check: str) -> None:
    assert found.run.decision in {Decision.HOLD, Decision.ROLL_BACK}, found.why
    assert found.told[check].verdict not in {Verdict.PASS, Verdict.ERRATUM_SHOWN}, found.why
