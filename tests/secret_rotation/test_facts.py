"""The facts of the rehearsal of secrets, and what the rules make of them: bad evidence fails, none is inconclusive."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import pytest

from harness.base import planfile
from harness.base.ticks import NS
from harness.model.judgement import Expected, Judgement, Verdict
from harness.model.secrets import SecretSeen, Synced, VolumeTrial
from harness.rehearsals.secret_rotation.facts import PHRASES, SLACK_S, of_part, rotated, rotation
from harness.rehearsals.secret_rotation.rehearsal import REHEARSAL
from harness.rehearsals.secret_rotation.types import (
    AsWritten,
    RotationCourse,
    RotationPart,
    RotationPartKind,
    RotationPlan,
    Started,
)
from harness.rules import engine
from harness.rules.ledger import CALL, Calls
from harness.rules.rule import Fact, FactsOf

PASS, FAIL, NOTHING = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SHOWN = Verdict.ERRATUM_SHOWN
PLAN = planfile.bundled("secret_rotation", RotationPlan)
PART = RotationPart(
    name="r", title="R", claims=(), kind=RotationPartKind.TWO_ROLES, rate_per_s=10, load_s=100, least_requests=900
)
SEEN = (SecretSeen(pod="a", variable="old", file="new"), SecretSeen(pod="b", variable="old", file="new"))
COURSE = RotationCourse(
    begun_ns=10 * NS, published_ns=11 * NS, files_ns=25 * NS, synced_ns=24 * NS, restarted_ns=26 * NS, settled_ns=60 * NS,
    revoked_ns=62 * NS, loaded_ns=100 * NS, old_refused=True, variables_before_restart=SEEN,
    old_digest="old", new_digest="new", sessions_ended=8,
)  # fmt: skip
IN_PLACE = msgspec.structs.replace(COURSE, revoked_ns=15 * NS)
ALONE = VolumeTrial(name="alone", watched_s=40, started=True, ready=True, asked=False, managed=False)
CLASSLESS = VolumeTrial(
    name="classless", watched_s=40, started=False, ready=False, asked=False, managed=False,
    events=("Warning FailedMount: secretproviderclass not found",),
)  # fmt: skip


def calls(*failed_s: float, count: int = 1000) -> Calls:
    """One call in 100 ms from 0 s on; those due in whole seconds of ``failed_s`` fail."""
    rows = np.zeros(count, dtype=CALL)
    rows["due_ns"] = np.arange(count) * (NS // 10)
    rows["api"] = True
    rows["ok"] = ~np.isin(rows["due_ns"] // NS, failed_s)
    return rows


def by_rules(claim: str, facts: Iterable[Fact], poll_s: float = 20) -> Judgement:
    """The judgement on ``claim``."""
    known = [*facts, FactsOf(PHRASES)("allowed_s", poll_s + SLACK_S, poll="")]
    (found,) = engine.judged([Expected(PART.name, claim, claim)], REHEARSAL.rules, known, PLAN, ())
    return found


def tried(claim: str, *trials: VolumeTrial | None) -> Judgement:
    return by_rules(claim, of_part(PART, AsWritten(trials=tuple(each for each in trials if each is not None))))


def in_place(course: RotationCourse, calls: Calls, claim: str = "iac.csi_rotation_gap") -> Judgement:
    return by_rules(claim, rotated(msgspec.structs.replace(PART, kind=RotationPartKind.NAIVE), course, calls))


def in_turn(course: RotationCourse, calls: Calls) -> Judgement:
    return by_rules("checklist.security.csi", rotated(PART, course, calls))


def in_time(course: RotationCourse, poll_s: float) -> Judgement:
    return by_rules("iac.secrets.csi", rotated(PART, course, calls()), poll_s)


def renewed(course: RotationCourse) -> Judgement:
    return in_place(course, calls(), "iac.csi_mounts_files")


VOLUME, TAKEN = "security.csi.volume_alone", "iac.csi_existing_secret"


def test_as_written_is_shown_by_both_pods() -> None:
    found = tried(VOLUME, ALONE, CLASSLESS)
    assert (found.verdict, found.erratum) == (SHOWN, "security.csi.volume_alone")
    assert "never asked" in found.reason and "FailedMount" in found.reason


@pytest.mark.parametrize(
    ("alone", "classless", "verdict"),
    [
        (None, CLASSLESS, NOTHING),
        (ALONE, None, NOTHING),
        (msgspec.structs.replace(ALONE, watched_s=0), CLASSLESS, NOTHING),
        (ALONE, msgspec.structs.replace(CLASSLESS, events=()), NOTHING),  # it hung, and nothing says why
        (msgspec.structs.replace(ALONE, asked=True), CLASSLESS, FAIL),  # the document's volume works after all
        (msgspec.structs.replace(ALONE, managed=True), CLASSLESS, FAIL),
        (ALONE, msgspec.structs.replace(CLASSLESS, started=True), FAIL),
        (msgspec.structs.replace(ALONE, started=False), CLASSLESS, NOTHING),  # it hung too
    ],
)
def test_as_written_on_other_evidence(
    alone: VolumeTrial | None, classless: VolumeTrial | None, verdict: Verdict
) -> None:
    assert tried(VOLUME, alone, classless).verdict is verdict


def test_an_existing_secret() -> None:
    trial = VolumeTrial(name="existing", watched_s=40, started=True, ready=True, asked=True, managed=False)
    assert tried(TAKEN, ALONE, trial).verdict is SHOWN
    assert tried(TAKEN, ALONE, msgspec.structs.replace(trial, managed=True)).verdict is FAIL
    assert tried(TAKEN, ALONE, msgspec.structs.replace(trial, asked=False)).verdict is NOTHING
    assert tried(TAKEN, ALONE, None).verdict is NOTHING


def test_the_corrected_pods() -> None:
    seen = (SecretSeen(pod="a", variable="d", file="d"), SecretSeen(pod="b", variable="d", file="d"))
    synced = Synced(user="u", digest="d", managed=True)
    claims = ("security.csi.volume", "manifest.secret.from_secret_manager", "iac.secrets.csi")

    def verdicts(seen: tuple[SecretSeen, ...] = seen, synced: Synced | None = synced, b: str = "v1") -> list[Verdict]:
        versions = {"a": "v1", "b": b}
        did = Started(wanted=2, versions=versions, seen=seen, synced=synced, published="v1", digest="d")
        return [by_rules(claim, of_part(PART, did)).verdict for claim in claims]

    assert verdicts() == [PASS, PASS, PASS]
    assert verdicts(b="v0") == [FAIL, PASS, PASS]
    assert verdicts(seen=(seen[0], SecretSeen(pod="b", variable="", file="d"))) == [PASS, FAIL, PASS]
    assert verdicts(seen=(seen[0], SecretSeen(pod="b", variable="d", file=""))) == [FAIL, PASS, PASS]
    blind = SecretSeen(pod="b", variable="", file="")  # an image without a shell
    assert verdicts(seen=(seen[0], blind)) == verdicts(seen=(blind, blind)) == [NOTHING, NOTHING, PASS]
    assert verdicts(seen=(blind, blind), synced=None) == [NOTHING, NOTHING, FAIL]
    by_driver = verdicts(seen=(seen[0], blind), b="v0")
    assert by_driver == [FAIL, NOTHING, PASS], "the driver says of the files of whoever may be asked"
    assert verdicts(seen=(SecretSeen(pod="a", variable="x", file="x"), blind)) == [FAIL, FAIL, PASS]
    assert verdicts(synced=None) == [PASS, PASS, FAIL]
    assert verdicts(synced=msgspec.structs.replace(synced, managed=False)) == [PASS, PASS, FAIL]
    assert verdicts(seen=seen[:1]) == [NOTHING] * 3


def test_two_roles_may_lose_nothing() -> None:
    whole, timed = in_turn(COURSE, calls()), in_time(COURSE, 20)
    assert (whole.claim, whole.verdict) == ("checklist.security.csi", PASS)
    assert (timed.claim, timed.verdict, timed.value) == ("iac.secrets.csi", PASS, 14.0)
    assert in_turn(COURSE, calls(99)).verdict is FAIL
    assert in_turn(COURSE, calls(0)).verdict is FAIL


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"settled_ns": None}, FAIL),
        ({"old_refused": False}, FAIL),
        ({"old_refused": None}, FAIL),
        ({"loaded_ns": 61 * NS}, NOTHING),
        ({"loaded_ns": None}, NOTHING),
    ],
)
def test_two_roles_on_a_course_that_fell_short(changed: dict[str, object], verdict: Verdict) -> None:
    course = msgspec.structs.replace(COURSE, **changed)
    assert in_turn(course, calls()).verdict is verdict


def test_without_a_request_after_the_last_step_nothing_is_known_of_it() -> None:
    """The load ends at 100 s, and its last request is due at 99.9 s."""
    for last_ns, verdict in ((99_900_000_000, NOTHING), (99_899_999_999, PASS)):
        found = in_turn(msgspec.structs.replace(COURSE, revoked_ns=last_ns), calls())
        assert found.verdict is verdict, found.reason
    settled = msgspec.structs.replace(IN_PLACE, settled_ns=99_950_000_000)
    found = in_place(settled, calls(16))
    assert found.verdict is NOTHING and "the load ended -0.05 s after the rotation did" in found.reason


def test_too_few_requests_carry_nothing() -> None:
    """All 1,000 of the plan have to be there: each that is not counts as failed. A fail is read on what was seen."""
    for count in (899, 999):
        found = in_turn(COURSE, calls(count=count))
        assert found.verdict is NOTHING and f"{count} requests are in evidence, and 1000 were due" in found.reason
        assert in_turn(COURSE, calls(50, count=count)).verdict is FAIL
        assert in_place(IN_PLACE, calls(*range(16, 50), count=count)).verdict is NOTHING
    assert in_turn(COURSE, calls(count=0)).verdict is NOTHING
    assert in_place(IN_PLACE, calls(count=0)).verdict is NOTHING


def test_the_poll_interval_is_a_limit() -> None:
    late = msgspec.structs.replace(COURSE, files_ns=42 * NS)
    assert in_time(late, 20).verdict is FAIL
    assert in_time(late, 30).verdict is PASS
    assert in_time(msgspec.structs.replace(COURSE, synced_ns=None), 20).verdict is FAIL


def test_in_place_shows_the_gap() -> None:
    gap, variables = in_place(IN_PLACE, calls(*range(16, 50))), renewed(IN_PLACE)
    assert (gap.claim, gap.verdict, gap.value) == ("iac.csi_rotation_gap", SHOWN, 340)
    assert "340 of 450 once 8 of them" in gap.reason and "0 of 50 requests failed while" in gap.reason
    assert (variables.claim, variables.verdict) == ("iac.csi_mounts_files", SHOWN)
    assert in_place(IN_PLACE, calls()).verdict is FAIL  # no gap: the erratum is not so
    assert in_place(IN_PLACE, calls(16, 80)).verdict is NOTHING  # something else failed afterwards
    earlier = in_place(IN_PLACE, calls(9, 16))  # something else failed already
    assert earlier.verdict is NOTHING and "10 had failed before the password was changed" in earlier.reason
    assert in_place(IN_PLACE, calls(12, 16)).verdict is SHOWN  # a new session was refused
    restarting = in_place(IN_PLACE, calls(26, 40))  # restarted from 26 s on: a restart loses some by itself
    assert restarting.verdict is NOTHING and "0 of 110 of them before the restart began" in restarting.reason
    unsynced = msgspec.structs.replace(IN_PLACE, restarted_ns=None)
    assert in_place(unsynced, calls(40)).verdict is NOTHING
    none = msgspec.structs.replace(IN_PLACE, sessions_ended=0)
    assert in_place(none, calls(16)).verdict is in_place(none, calls()).verdict is NOTHING


def test_variables_that_follow_are_no_erratum() -> None:
    fresh = (SecretSeen(pod="a", variable="new", file="new"),)
    assert renewed(msgspec.structs.replace(COURSE, variables_before_restart=fresh)).verdict is FAIL
    never = msgspec.structs.replace(COURSE, synced_ns=None)
    assert renewed(never).verdict is NOTHING
    assert renewed(msgspec.structs.replace(never, variables_before_restart=fresh)).verdict is FAIL
    behind = msgspec.structs.replace(
        COURSE,
        files_ns=None,
        variables_before_restart=(
            *COURSE.variables_before_restart[:1],
            SecretSeen(pod="b", variable="old", file="old"),
        ),
    )
    assert renewed(behind).verdict is NOTHING, "the driver's file is not the target's"
    followed = msgspec.structs.replace(COURSE, files_ns=None)
    assert renewed(followed).verdict is Verdict.ERRATUM_SHOWN, "as the files themselves were read"
    blind = (SecretSeen(pod="a", variable="", file="new"),)
    assert renewed(msgspec.structs.replace(COURSE, variables_before_restart=blind)).verdict is NOTHING
    assert renewed(msgspec.structs.replace(COURSE, variables_before_restart=())).verdict is NOTHING


def test_the_figures_by_phase() -> None:
    found = rotation(IN_PLACE, calls(*range(16, 50)))
    assert [each.name for each in found.phases] == [
        "before", "changed", "published", "old password out", "synced", "restarted", "settled",
    ]  # fmt: skip
    assert [(each.requests, each.failed) for each in found.phases][2:4] == [(40, 0), (90, 80)]
    assert sum(each.requests for each in found.phases) == 1000
    assert (found.files_after_s, found.synced_after_s, found.revoked_after_s) == (14, 13, 4)
    assert found.outage_s == pytest.approx(33.9)
    unreached = msgspec.structs.replace(COURSE, files_ns=None, synced_ns=None, restarted_ns=None, settled_ns=None)
    assert rotation(unreached, calls(count=0)).outage_s is None
