"""What answers show of tracks and of the server's own fields, as a perfect API gives it, and as others do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest

from harness.base.clock import Anchor
from harness.checks.answered import ReadAnswers, judged
from harness.load.population.track import AnsweredPoint, track
from harness.load.population.walk import Location, WalkUpdate
from harness.model.evidence import Operation, RequestRow, Side
from harness.model.judgement import Judgement, Verdict
from harness.model.shown import Shown, ShownWalk, text
from tests.checks.sending import ANCHOR, PLAN, SEED, USERS, planned, row

Points = list[dict[str, Any]]
PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
TIME = Anchor(monotonic_ns=0, unix_ns=ANCHOR)


def at(ns: int) -> str:
    return (datetime.fromtimestamp(ANCHOR / 1e9, UTC) + timedelta(microseconds=ns // 1000)).isoformat()


def rows(
    change: Callable[[Points], Points] = lambda points: points, **dates: Callable[[int, str], str]
) -> list[RequestRow]:
    """Everybody's first forty requests, answered with what was written until then, its points after ``change``; a time
    of the server's after the change of that name, which is given the answer's number."""
    found, numbers = [], count()
    for user in USERS:
        recorded: dict[str, list[Location]] = {}
        written: dict[str, tuple[str, str]] = {}  # when a walk was made, and when it was written last
        for each in planned(user.user, 40):
            made = row(each)
            if isinstance(each.body, WalkUpdate):
                recorded.setdefault(each.walk_id, []).extend(each.body.locations)
            if each.operation in {Operation.PUT_WALK, Operation.CREATE_WALK}:
                written[each.walk_id] = written.get(each.walk_id, (at(made.sent_ns),))[0], at(made.sent_ns + 1000)
            if each.walk_id and each.operation is not Operation.DELETE_WALK:
                number, said = next(numbers), dict(zip(("created", "updated"), written[each.walk_id], strict=True))
                said |= {name: dates[name](number, said[name]) for name in dates}
                points = change(msgspec.to_builtins(recorded.get(each.walk_id, [])))
                seen = (
                    track(msgspec.convert(points, list[AnsweredPoint]))
                    if each.operation is Operation.GET_WALK
                    else None
                )
                shown = ShownWalk(each.walk_id.lower(), "", None, said["updated"], said["created"], seen)
                made = msgspec.structs.replace(made, shown=text(Shown((shown,))))
            found.append(made)
    return found


def of(found: Sequence[RequestRow], **keeps: int) -> dict[str, Judgement]:
    asked = ReadAnswers(found, PLAN, SEED, TIME, keeps)
    return {each.id.removeprefix("reads."): each for each in judged(asked)}


def kept(digits: int) -> Callable[[Points], Points]:
    return lambda points: [{**each, "latitude": round(each["latitude"], digits)} for each in points]


def in_seconds(points: Points) -> Points:
    return [{**each, "timestamp": each["timestamp"][:19] + "Z"} for each in points]


def one_in_nine(change: Callable[[Points], Points]) -> Callable[[Points], Points]:
    calls = count(1)
    return lambda points: change(points) if next(calls) % 9 == 0 else points


def test_a_perfect_api_passes_and_the_page_says_how_finely_it_answers() -> None:
    found = of(rows())
    assert {each.verdict for each in found.values()} == {PASS}
    assert "coordinates are answered as they were written" in found["content"].reason


@pytest.mark.parametrize(
    ("change", "keeps", "verdict", "told"),
    [
        (kept(5), {}, PASS, "coordinates are answered to 0.00001"),
        (kept(4), {}, FAIL, "coordinates are answered to 0.0001"),
        (kept(4), {"degrees": 4}, PASS, "coordinates are answered to 0.0001, as the target's file says"),
        (kept(3), {"degrees": 4}, FAIL, "coordinates are answered to 0.001"),
        (in_seconds, {}, PASS, "recorded times are answered to 1"),
        (one_in_nine(kept(5)), {}, FAIL, "other than written: latitude"),
        (one_in_nine(lambda points: points[1:]), {}, PASS, ""),  # how many there are is another check's
        (one_in_nine(lambda points: [points[0], *points]), {}, FAIL, "do not ascend"),
        (lambda points: [{**each, "sequence_number": 9999} for each in points[:1]], {}, FAIL, "nobody recorded"),
        (lambda points: [{**each, "speed": 1.25} for each in points], {}, FAIL, "other than written: speed"),
    ],
)  # fmt: skip
def test_most_answers_say_how_a_column_is_kept_and_each_must_be_alike(
    change: Callable[[Points], Points], keeps: dict[str, int], verdict: Verdict, told: str
) -> None:
    found = of(rows(change), **keeps)["content"]
    assert (found.verdict, told in found.reason) == (verdict, True), found.reason


@pytest.mark.parametrize(
    ("dates", "told"),
    [
        ({"created": lambda number, said: said if number else at(0)}, "1 have another created_at"),
        ({"updated": lambda *_: at(0)}, "did not move updated_at"),
        ({"updated": lambda number, said: f"{said[:-6]}+09:00"}, "off"),
        ({"created": lambda *_: "today"}, "is a time"),
    ],
)
def test_the_servers_own_fields(dates: dict[str, Callable[[int, str], str]], told: str) -> None:
    found = of(rows(lambda points: points, **dates))["server_fields"]
    assert found.verdict is FAIL and told in found.reason, found.reason


@pytest.mark.parametrize("uncertain", [{"retried": True}, {"acknowledged": False}, {"side": Side.FIRESTORE}])
def test_a_write_that_may_act_later_excuses_a_time_that_moves(uncertain: dict[str, Any]) -> None:
    def moved(number: int, said: str) -> str:
        return (datetime.fromisoformat(said) + timedelta(milliseconds=2 * number)).isoformat()

    moving = rows(updated=moved)
    excused = [msgspec.structs.replace(each, **uncertain) if each.payload_digest else each for each in moving]
    found = of(moving)["server_fields"]
    assert found.verdict is FAIL and "though nothing was written" in found.reason
    assert of(excused)["server_fields"].verdict is not FAIL


def test_lost_evidence_makes_no_answer_look_wrong() -> None:
    moving = [each for each in rows() if not each.operation_id.endswith("3")]
    assert of(moving)["server_fields"].verdict is OPEN
