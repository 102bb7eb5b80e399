"""Deploys judged on planted courses, to the word: each finding with its verdict, what it measured, and its reason."""

from __future__ import annotations

import msgspec

from harness.judge.window import NS
from harness.model.command import Ran
from harness.model.evidence import EventRow
from harness.model.judgement import Judgement
from harness.model.message import english
from harness.model.verdict import Verdict
from harness.rehearsals.deploy import judge as deploys
from harness.rehearsals.deploy.judge import Undone
from harness.rehearsals.deploy.tallies import Tally
from tests.judge.test_deploys import (
    BAD,
    FAIL,
    INCONCLUSIVE,
    MET,
    OK,
    PASS,
    QUIET,
    RELEASE,
    SHOWN,
    broken,
    pod,
    replaced,
    seen,
    undone,
)

Words = tuple[str, Verdict, str, str]
FAILED_3 = Tally(calls=1000, failed=3, first_ns=0, last_ns=NS)


def measured(judgement: Judgement) -> str:
    """As it is shown: seconds are the one value that is a number."""
    return english(judgement.shown) if judgement.value is None else f"{judgement.value:.1f} {judgement.unit}"


def words(found: list[Judgement]) -> list[Words]:
    """Each finding, whose id is its claim; where it shows an erratum, that is its claim."""
    assert all(each.id == each.claim for each in found)
    shown = {"deploy.rolling.no_downtime": "deploy.downtime_without_prestop"}
    assert all(each.erratum == (shown.get(each.claim, each.claim) if each.verdict is SHOWN else "") for each in found)
    return [(each.claim, each.verdict, measured(each), each.reason) for each in found]


def test_a_release_that_lost_requests_is_told_to_the_word() -> None:
    claims = (*RELEASE, "deploy.rolling.no_downtime", "deploy.downtime_without_prestop", "deploy.create_lost_at_close")
    found = deploys.released(
        claims, [OK, BAD], seen(replaced()), FAILED_3, replicas=2, surge=1, least_calls=300, races=True, lost_creates=1
    )
    counted = "3 of 1000 requests and probes failed, 1.0 s from the first to the last"
    lost = "1 CREATEs of 1000 calls were lost with the kept connections of pods that ended"
    assert words(found) == [
        (claims[0], FAIL, "2 commands", "`rollout` ended in 0; `rollout` ended in 1"),
        (claims[1], PASS, "3 pods", "at most 3 pods at once, terminating ones aside; replicas 2, maxSurge 1"),
        (claims[2], PASS, "2 ready", "never fewer than 2 pods ready; replicas 2, maxUnavailable 0"),
        (claims[3], PASS, "2 new", "ready at the end: n0, n1; old ones among them: none"),
        (claims[4], SHOWN, "2 failed", f"shown: {counted}"),
        (claims[5], SHOWN, "2 failed", f"shown: {counted}"),
        (claims[6], SHOWN, "1 lost", f"shown: {lost}"),
    ]


def test_a_release_that_lost_nothing_and_left_an_old_pod_is_told_to_the_word() -> None:
    claims = ("deploy.rolling.complete", "deploy.downtime_without_prestop", "deploy.create_lost_at_close")
    found = deploys.released(
        claims, [OK], seen(replaced(stays=True)), QUIET, replicas=2, surge=1, least_calls=300, races=False
    )
    none = "0 of 1000 requests and probes failed"
    late = "the environment signals a pod once the endpoints have left it (unless --signals-at-once)"
    assert words(found) == [
        (claims[0], FAIL, "2 new", "ready at the end: b, n0, n1; old ones among them: b"),
        (claims[1], Verdict.NOT_EXERCISED, "", f"{none}; {late}"),
        (claims[2], Verdict.NOT_EXERCISED, "", f"no CREATE met the end of a kept connection; {none}"),
    ]
    nobody = deploys.released(
        claims[:1], [OK], seen([]), QUIET, replicas=2, surge=1, least_calls=300, races=True
    )  # fmt: skip
    assert words(nobody) == [(claims[0], INCONCLUSIVE, "", "no pod was seen to come")]


def test_what_a_release_that_replaced_no_pod_would_keep_is_told_and_proves_nothing() -> None:
    claims = ("cicd.set_image", "deploy.rolling.no_downtime")
    stayed = seen([pod(-9, "a", "Ready"), pod(3, "a", "Ready")])
    found = deploys.released(claims, [OK, OK], stayed, QUIET, replicas=2, surge=1, least_calls=300, races=True)
    none = "no pod was seen to come"
    assert words(found) == [
        (claims[0], INCONCLUSIVE, "", f"{none}; `rollout` ended in 0; `rollout` ended in 0"),
        (claims[1], INCONCLUSIVE, "", f"{none}; 0 of 1000 requests and probes failed"),
    ]


def test_users_calls_are_the_sample_of_what_users_notice_and_of_nothing_else() -> None:
    claims = (*RELEASE, "deploy.rolling.no_downtime")
    found = deploys.released(
        claims, [OK], seen(replaced()), FAILED_3, replicas=2, surge=1, least_calls=300, races=True
    )  # fmt: skip
    assert [each.samples for each in found] == [0, 0, 0, 0, 1000]


def test_undisturbed_is_told_to_the_word() -> None:
    def told(met: Tally) -> list[Words]:
        return words([deploys.undisturbed("c", met, 300)])

    assert told(Tally(calls=299, failed=0)) == [
        ("c", INCONCLUSIVE, "", "299 requests and probes were due, and 300 are needed")
    ]
    counted = "0 of 300 requests and probes failed"
    missing = f"{counted}, 2 more that were due are not in evidence"
    assert told(Tally(calls=300, failed=0, missing=2)) == [("c", INCONCLUSIVE, "", missing)]
    assert told(Tally(calls=300, failed=0)) == [("c", PASS, "0 failed", counted)]


def test_a_version_that_is_never_ready_is_told_to_the_word() -> None:
    stuck = [pod(-9, "a", "Ready"), pod(-9, "b", "Ready"), pod(1, "n0", "Running")]
    gone = seen([*stuck, pod(40, "n0", "Terminating"), pod(45, "n0", "Gone")])

    def told(status: Ran, undo: Ran, before: list[EventRow], met: Tally) -> list[Words]:
        return words(
            deploys.never_ready(
                [OK, status, undo, OK], before_undo=seen(before), met=met, seen=gone, replicas=2, least_calls=300
            )
        )

    kept = "never fewer than 2 of 2 pods ready"
    ended = "the workflow had ended, and {} still waited to be ready: nothing undid it"
    assert told(BAD, OK, stuck, QUIET) == [
        ("cicd.rollout_status", PASS, "status 1", "`rollout`: error: timed out"),
        ("cicd.no_undo", SHOWN, "1 pods left", f"shown: {ended.format('n0')}"),
        (
            "phase2.cicd", PASS, "0 failed",
            f"undo ended in 0, rollout status after it in 0; {kept}; 0 of 1000 requests and probes failed",
        ),
    ]  # fmt: skip
    few = "10 requests and probes were due, and 300 are needed"
    silent = Ran(command="rollout status", status=0, output="")
    assert told(silent, BAD, stuck[:2], Tally(calls=10, failed=1)) == [
        ("cicd.rollout_status", FAIL, "status 0", "`rollout status`: nothing"),
        ("cicd.no_undo", INCONCLUSIVE, "0 pods left", f"not seen: {ended.format('no pod')}"),
        ("phase2.cicd", FAIL, "1 failed", f"undo ended in 1, rollout status after it in 0; {kept}; {few}"),
    ]
    assert told(BAD, OK, stuck, Tally(calls=10, failed=0))[2] == ("phase2.cicd", INCONCLUSIVE, "", few)


def test_a_version_that_was_never_put_there_or_of_which_no_pod_waited_is_told_to_the_word() -> None:
    """The status ended badly all the same, and an undo brought everything back: of something else."""
    two = seen([pod(-9, "a", "Ready"), pod(-9, "b", "Ready"), pod(1, "a", "Ready")])
    late = Ran(command="rollout status", status=1, output="Waiting for 1 of 2\nerror: timed out\n")

    def told(put: Ran) -> list[Words]:
        ran = [put, late, OK, OK]
        return words(
            deploys.never_ready(ran, before_undo=two, met=QUIET, seen=two, replicas=2, least_calls=300)
        )  # fmt: skip

    said = "`rollout status`: error: timed out"
    undone = (
        "undo ended in 0, rollout status after it in 0; never fewer than 2 of 2 pods ready; 0 of 1000 requests and "
        "probes failed"
    )
    nobody, not_put = "no pod was seen to wait to be ready", "`rollout` ended in 1"
    waits = "not seen: the workflow had ended, and no pod still waited to be ready: nothing undid it"
    assert told(OK) == [
        ("cicd.rollout_status", INCONCLUSIVE, "", f"{nobody}; {said}"),
        ("cicd.no_undo", INCONCLUSIVE, "0 pods left", waits),
        ("phase2.cicd", INCONCLUSIVE, "", f"{nobody}; {undone}"),
    ]
    assert told(BAD) == [
        ("cicd.rollout_status", INCONCLUSIVE, "", f"{not_put}; {said}"),
        ("cicd.no_undo", INCONCLUSIVE, "", not_put),
        ("phase2.cicd", INCONCLUSIVE, "", f"{not_put}; {undone}"),
    ]


def test_a_broken_limit_is_told_to_the_word() -> None:
    counted = "0 of 1000 requests and probes failed"
    fired_and_undone = (
        "rollback.error_ratio fired; fired 2.0 s after the first bad answer, undo complete after 7.0 s, last bad answer "
        f"14.0 s after the first: 80 of 2000 were bad; then {counted}"
    )
    seen_80 = "80 of 2000 requests and probes failed, 14.0 s from the first to the last"
    assert words([broken(undone()), broken(undone(), met=QUIET), broken(Undone(fired=None))]) == [
        ("claim", PASS, "14.0 s", fired_and_undone),
        ("claim", INCONCLUSIVE, "", "the version gave no bad answer among 1000"),
        ("claim", FAIL, "never", f"no limit fired, though {seen_80}"),
    ]
    once = Tally(calls=2000, failed=1, first_ns=10 * NS, last_ns=10 * NS)
    (_, verdict, shown, why) = words([broken(undone(), met=once)])[0]
    assert (verdict, shown) == (PASS, "0.0 s") and "last bad answer 0.0 s after the first: 1 of 2000 were bad" in why
    few = broken(undone(), after=Tally(calls=99, failed=0))
    assert (few.verdict, measured(few)) == (INCONCLUSIVE, "14.0 s")
    missing = broken(undone(), after=Tally(calls=1000, failed=0, missing=1))
    assert (missing.verdict, measured(missing)) == (INCONCLUSIVE, "14.0 s")
    lost = msgspec.structs.replace(MET, missing=1)
    lacking = f"; {seen_80}, 1 more that were due are not in evidence; then {counted}"
    assert words([broken(undone(), met=lost)]) == [
        ("claim", INCONCLUSIVE, "14.0 s", fired_and_undone.replace(f"; then {counted}", lacking))
    ]
    assert broken(undone(), met=lost, within_s=13).verdict is FAIL


def test_a_breaking_schema_is_told_to_the_word() -> None:
    def told(mended: Tally, ran: Ran = OK, failed: int = 60, still: int | None = None) -> list[Words]:
        past = Tally(calls=100, failed=failed)
        found = deploys.breaking_schema(
            "e", undone(ran), met=MET, past_undo=past, mended=mended, least_calls=100, still=still
        )
        return words([found])

    said = (
        "80 of 2000 requests and probes failed, 14.0 s from the first to the last; after the undo was complete 60 of 100 "
        "still failed; with the schema taken back 0 of {} requests and probes failed"
    )
    assert told(Tally(calls=100, failed=0)) == [("e", SHOWN, "80 failed", f"shown: {said.format(100)}")]
    assert told(Tally(calls=99, failed=0)) == [("e", INCONCLUSIVE, "", said.format(99))]
    helped = said.format(1000).replace("60 of 100", "0 of 100")
    assert told(QUIET, failed=0) == [("e", INCONCLUSIVE, "80 failed", f"not seen: {helped}")]
    early = said.format(1000).replace("; with", "; none of these in the later half of that time; with")
    assert told(QUIET, still=0) == [("e", INCONCLUSIVE, "80 failed", f"not seen: {early}")]
    assert told(QUIET, still=1) == [("e", SHOWN, "80 failed", f"shown: {said.format(1000)}")]
    assert told(QUIET, failed=0, still=0) == told(QUIET, failed=0)
    # The old version is never ready while the schema is broken: the undo was taken, and does not help.
    cut = said.format(1000).replace("the undo was complete", "the undo, which did not complete,")
    assert told(QUIET, BAD) == [("e", SHOWN, "80 failed", f"shown: `rollout` ended in 1; {cut}")]


def test_who_wrote_the_new_column_and_what_a_tally_says() -> None:
    assert str(deploys.side_by_side({"a": 3, "n0": 4, "x": 9}, ["a"], ["n0"])) == (
        "rows with the new column: 3 inserted by old pods, 4 by new ones"
    )
    assert str(Tally(calls=5, failed=2, missing=1, first_ns=NS, last_ns=3 * NS).told) == (
        "2 of 5 requests and probes failed, 2.0 s from the first to the last, 1 more that were due are not in evidence"
    )
