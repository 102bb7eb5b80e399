"""A whole rehearsal of secrets from its facts and rows: what is judged, and what the page shows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.base import planfile
from harness.base.ticks import NS
from harness.model.evidence import Operation, Outcome, RequestRow, Side
from harness.model.judgement import Verdict
from harness.model.message import english
from harness.model.parts import PartRun
from harness.model.secrets import SecretSeen, Synced, VolumeTrial
from harness.model.section import Lines
from harness.rehearsals.secret_rotation.rehearsal import REHEARSAL
from harness.rehearsals.secret_rotation.types import (
    AsWritten,
    Rotated,
    RotationCourse,
    RotationDetails,
    RotationPlan,
    Started,
)
from harness.run.result import judged, sections
from tests.rehearsal.drawn import drawn
from tests.rehearsal.made import seen

PLAN = planfile.bundled("secret_rotation", RotationPlan)
LOAD_S = 180
FAILED_S = range(20, 50)  # of the rotation in place, in seconds from its load's begin
TRIALS = (
    VolumeTrial(name="alone", watched_s=40, started=True, ready=True, asked=False, managed=False),
    VolumeTrial(name="classless", watched_s=40, started=False, ready=False, asked=False, managed=False,
          events=("FailedMount: no class",)),
    VolumeTrial(name="existing", watched_s=40, started=True, ready=True, asked=True, managed=False),
)  # fmt: skip


def course(origin_s: int, revoked_s: int) -> RotationCourse:
    def at(seconds: int) -> int:
        return (origin_s + seconds) * NS

    return RotationCourse(
        begun_ns=at(10), published_ns=at(11), files_ns=at(25), synced_ns=at(24), restarted_ns=at(26),
        settled_ns=at(60), revoked_ns=at(revoked_s), loaded_ns=at(LOAD_S), old_refused=True, sessions_ended=8,
        variables_before_restart=(SecretSeen(pod="a", variable="old", file="new"),), old_digest="old", new_digest="new",
    )  # fmt: skip


def requests(origin_s: int, failed: range) -> list[RequestRow]:
    """Ten a second."""
    return [
        RequestRow(
            operation_id=f"u{origin_s * 10 + at:05d}-00000", user=f"u{origin_s * 10 + at:05d}", audience="general", side=Side.API,
            operation=Operation.LIST_WALKS, due_ns=due_ns, sent_ns=due_ns, done_ns=due_ns + 1, status=200,
            outcome=Outcome.SERVER_ERROR if (due_ns // NS - origin_s) in failed else Outcome.OK, acknowledged=False,
            payload_digest="", flag=True,
        )
        for at in range(LOAD_S * 10)
        for due_ns in (origin_s * NS + at * NS // 10,)
    ]  # fmt: skip


def details() -> RotationDetails:
    pods = (SecretSeen(pod="a", variable="d", file="d"), SecretSeen(pod="b", variable="d", file="d"))
    return RotationDetails(
        runs={part.name: PartRun(start_ns=at * NS, end_ns=(at + 1) * NS) for at, part in enumerate(PLAN.parts)},
        did={
            "as_written": AsWritten(trials=TRIALS),
            "start": Started(
                wanted=2, versions={"a": "v1", "b": "v1"}, seen=pods, published="v1", digest="d",
                synced=Synced(user="u", digest="d", managed=True),
            ),
            "naive": Rotated(origin_ns=0, course=course(0, 15)),
            "two_roles": Rotated(origin_ns=1000 * NS, course=course(1000, 62)),
        },
    )  # fmt: skip


ROWS = [*requests(0, FAILED_S), *requests(1000, range(0))]


def verdicts(facts: RotationDetails, rows: list[RequestRow]) -> dict[tuple[str, str], Verdict]:
    return {each.key: each.verdict for each in judged(REHEARSAL, PLAN, seen(facts, rows)) if each.part}


def test_every_claim_of_every_part_is_judged() -> None:
    found = verdicts(details(), ROWS)
    assert set(found) == {(part.name, claim) for part in PLAN.parts for claim in part.claims}
    shown = {"as_written", "naive"}
    assert all(verdict is (Verdict.ERRATUM_SHOWN if part in shown else Verdict.PASS) for (part, _), verdict in
               found.items())  # fmt: skip


def test_each_rotation_is_judged_by_its_own_requests() -> None:
    """One that fails while two roles are in turn fails them, and shows nothing of the rotation in place."""
    one_failed = [*requests(0, range(0)), *requests(1000, range(30, 31))]
    found = verdicts(details(), one_failed)
    assert found["two_roles", "checklist.security.csi"] is Verdict.FAIL
    assert found["naive", "iac.csi_rotation_gap"] is Verdict.FAIL  # no gap: the erratum is not so


def test_requests_that_are_not_in_evidence_prove_nothing() -> None:
    found = verdicts(details(), ROWS[: LOAD_S * 10])
    assert found["two_roles", "checklist.security.csi"] is Verdict.INCONCLUSIVE


def test_details_come_back_from_the_result_as_they_were() -> None:
    assert msgspec.json.decode(msgspec.json.encode(details()), type=RotationDetails) == details()


def test_what_failed_stands_from_step_to_step() -> None:
    found = REHEARSAL.measured(PLAN, seen(details(), ROWS))
    phases = [each for each in found if (each.part, each.name) == ("naive", "phase.failed")]
    assert english(phases[0].told) == "0 of 100 requests failed in the 10.0 s from before the first step on"
    assert sum(each.seen or 0 for each in phases) == 300 and sum(each.of for each in phases) == 1800


def test_each_rotation_says_what_it_cost_by_its_own_requests() -> None:
    """From its first step, at 10 s, to the last request of its load."""
    found = sections(REHEARSAL, PLAN, seen(details(), ROWS))
    said = {each.part: str(each.lines[0]) for each in found if isinstance(each, Lines) and "cost" in str(each.title)}
    assert said == {
        "naive": "the rotation: 300 of 1,700 requests of users failed, as an outage of 30.0 s: 1.2 % of the month's 43.2 "
        "minutes; it may happen 86 times a month, and nothing else",
        "two_roles": "the rotation: all of 1,700 requests of users were answered well: nothing of the month's 43.2 minutes",
    }


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_is_drawn(tmp_path: Path, lang: str) -> None:
    page = drawn(REHEARSAL, PLAN, seen(details(), ROWS), tmp_path, lang)
    assert "FailedMount" in page and "<script" not in page
