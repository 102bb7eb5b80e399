"""Deploys judged on planted courses: every way in which a good one, a bad one and a changed schema can go wrong."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.units import Unit
from harness.judge.window import NS
from harness.model.command import Ran
from harness.model.due import Due, DueList
from harness.model.evidence import EventRow, Operation, Outcome, RequestRow, Row, Side
from harness.model.judgement import Judgement, Kind
from harness.model.message import english, verbatim
from harness.model.verdict import Verdict
from harness.rehearsals.deploy import judge as deploys
from harness.rehearsals.deploy import tallies
from harness.rehearsals.deploy.judge import Undone
from harness.rehearsals.deploy.tallies import Pods, Tally
from tests.judge.evidence import START_NS, criterion, ledger, probe, request

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SHOWN = Verdict.ERRATUM_SHOWN
OK, BAD = Ran(command="rollout", status=0, output="said"), Ran(command="rollout", status=1, output="error: timed out")
QUIET = Tally(calls=1000, failed=0)
NOTHING = DueList(requests=(), probes=())
RELEASE = ("cicd.set_image", "deploy.rolling.one_up", "deploy.rolling.one_down", "deploy.rolling.complete")


def pod(at_s: float, name: str, state: str) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind="pod", subject=name, message="", data={"state": state})


def replaced(*, old_first: bool = False, stays: bool = False, surge: int = 1) -> list[EventRow]:
    """Two old pods, two new ones, from 0 s on."""
    rows = [pod(-9, "a", "Ready"), pod(-9, "b", "Ready")]
    rows += [pod(1, f"n{number}", "Pending") for number in range(surge)]
    rows += [pod(2, "a", "Terminating")] if old_first else []
    rows += [pod(5, "n0", "Ready"), pod(5.1, "a", "Terminating"), pod(5.2, "n1", "Pending"), pod(7, "a", "Gone")]
    rows += [pod(9, "n1", "Ready")]
    return rows if stays else [*rows, pod(9.1, "b", "Terminating"), pod(11, "b", "Gone")]


def seen(rows: list[EventRow], until_s: float = 60) -> Pods:
    return tallies.pods(rows, 0, round(until_s * NS))


def verdicts(found: list[Judgement]) -> dict[str, Verdict]:
    return {each.claim: each.verdict for each in found}


def released(
    rows: list[EventRow], met: Tally = QUIET, ran: Ran = OK, *claims: str, races: bool = True
) -> dict[str, Verdict]:
    found = deploys.released(
        claims or RELEASE, [OK, ran], seen(rows), met, replicas=2, surge=1, least_calls=300, races=races
    )
    return verdicts(found)


def test_the_pods_are_followed_through_a_replacement() -> None:
    found = seen(replaced())
    assert (found.most, found.fewest_ready, found.new, found.ready) == (3, 2, ("n0", "n1"), ("n0", "n1"))
    assert found.new_ready_ns == {"n0": 5 * NS, "n1": 9 * NS}
    assert seen(replaced(), until_s=10).left == {"b", "n0", "n1"}


def test_a_good_version_one_by_one() -> None:
    assert released(replaced()) == dict.fromkeys(RELEASE, PASS)
    assert released(replaced(old_first=True))["deploy.rolling.one_down"] is FAIL
    assert released(replaced(stays=True))["deploy.rolling.complete"] is FAIL
    assert released(replaced(surge=2))["deploy.rolling.one_up"] is FAIL
    assert released(replaced(), QUIET, BAD)["cicd.set_image"] is FAIL


def test_without_a_new_pod_nothing_is_told_of_pods() -> None:
    found = released([pod(-9, "a", "Ready"), pod(3, "a", "Ready")])
    assert [found[claim] for claim in RELEASE[1:]] == [INCONCLUSIVE] * 3


def test_a_release_that_replaced_no_pod_keeps_no_promise_and_shows_no_erratum() -> None:
    claims = ("cicd.set_image", "deploy.rolling.no_downtime", "deploy.downtime_without_prestop")
    stayed, lost = [pod(-9, "a", "Ready"), pod(3, "a", "Ready")], Tally(calls=900, failed=1, first_ns=0, last_ns=0)
    assert released(stayed, QUIET, OK, *claims) == dict.fromkeys(claims, INCONCLUSIVE)
    assert released(stayed, lost, BAD, *claims) == {claims[0]: FAIL, claims[1]: FAIL, claims[2]: INCONCLUSIVE}
    found = deploys.without_prestop(lost, 0, races=True, came=False)
    assert found.reason.startswith("no pod was seen to come; 1 of 900 requests and probes failed")
    (found,) = deploys.released(
        claims[:1], [], seen(replaced()), QUIET, replicas=2, surge=1, least_calls=300, races=True
    )
    assert (found.verdict, found.reason) == (INCONCLUSIVE, "no command was run")


def test_one_failed_request_is_downtime_and_an_erratum_is_shown_by_being_seen() -> None:
    claims = ("deploy.rolling.no_downtime", "deploy.downtime_without_prestop")
    lost = Tally(calls=1000, failed=1, first_ns=0, last_ns=NS)
    assert released(replaced(), lost, OK, *claims) == {claims[0]: FAIL, claims[1]: SHOWN}
    assert released(replaced(), QUIET, OK, *claims) == {claims[0]: PASS, claims[1]: INCONCLUSIVE}
    assert released(replaced(), Tally(calls=299, failed=0), OK, claims[0]) == {claims[0]: INCONCLUSIVE}
    assert released(replaced(), QUIET, OK, claims[1], races=False) == {claims[1]: Verdict.NOT_EXERCISED}
    assert released(replaced(), lost, OK, claims[1], races=False) == {claims[1]: SHOWN}


def create(at_s: float, **changed: object) -> RequestRow:
    """A CREATE whose connection ended before the answer, 20 ms after it was sent; times as ``replaced``'s."""
    due_ns = round(at_s * NS)
    lost = {"operation": Operation.CREATE_WALK, "outcome": Outcome.BROKEN, "due_ns": due_ns, "sent_ns": due_ns}
    return msgspec.structs.replace(request(0), **(lost | {"done_ns": due_ns + NS // 50} | changed))


def test_a_create_lost_with_a_pod_s_kept_connection_is_no_downtime_but_an_erratum() -> None:
    claims = ("deploy.rolling.no_downtime", "deploy.create_lost_at_close", "deploy.downtime_without_prestop")
    lost = Tally(calls=1000, failed=1, first_ns=0, last_ns=NS)
    given = [OK, OK], seen(replaced())
    found = deploys.released(claims, *given, lost, replicas=2, surge=1, least_calls=300, races=False, lost_creates=1)
    assert verdicts(found) == {claims[0]: PASS, claims[1]: SHOWN, claims[2]: Verdict.NOT_EXERCISED}
    assert "judged as deploy.create_lost_at_close" in found[0].reason
    two = Tally(calls=1000, failed=2, first_ns=0, last_ns=NS)
    found = deploys.released(claims, *given, two, replicas=2, surge=1, least_calls=300, races=False, lost_creates=1)
    assert verdicts(found) == {claims[0]: FAIL, claims[1]: SHOWN, claims[2]: SHOWN}
    found = deploys.released(claims, *given, QUIET, replicas=2, surge=1, least_calls=300, races=False)
    assert verdicts(found) == {claims[0]: PASS, claims[1]: Verdict.NOT_EXERCISED, claims[2]: Verdict.NOT_EXERCISED}


@pytest.mark.parametrize(
    ("rows", "explained"),
    [
        ([create(6.9)], 1),  # pod a leaves from 5.1 to 7 s, b from 9.1 to 11 s
        ([create(7.9)], 1),
        ([create(6.9), create(10.9)], 2),
        ([create(4.9)], 0),  # before any left
        ([create(8.5)], 0),  # a is gone for longer than a client needs to hear of it
        ([create(6.9, outcome=Outcome.REFUSED)], 0),
        ([create(6.9, outcome=Outcome.TIMEOUT)], 0),
        ([create(6.9, operation=Operation.PUT_WALK)], 0),  # a client sends it again by itself
        ([create(6.9, side=Side.FIRESTORE)], 0),
        ([create(6.0 + number / 10) for number in range(4)], 4),
        ([create(6.0 + number / 10) for number in range(5)], 0),  # more than two a pod are no chance
        ([create(-1.0)], 0),
        ([create(61.0)], 0),
    ],
)
def test_only_creates_that_the_end_of_a_pod_explains_are_lost_at_its_close(
    rows: list[RequestRow], explained: int
) -> None:
    assert tallies.lost_at_close(rows, replaced(), 0, 60 * NS) == (explained, 2)


def test_without_a_pod_that_ended_no_create_is_explained() -> None:
    assert tallies.lost_at_close([create(6.9)], [pod(-9, "a", "Ready")], 0, 60 * NS) == (0, 0)


def test_bad_answers_are_counted_by_when_they_came() -> None:
    rows: list[Row] = [request(1), request(2, latency_ms=700), probe(3, good=False), request(90)]
    failed = tallies.tally(ledger(*rows), START_NS, START_NS + 60 * NS, due=NOTHING)
    assert (failed.calls, failed.failed, failed.bad_s) == (3, 1, 0.0)
    slow = tallies.tally(ledger(*rows), START_NS, START_NS + 60 * NS, 600, due=NOTHING)
    assert slow.failed == 2 and slow.bad_s == pytest.approx(0.31)
    assert failed.missing == slow.missing == 0
    due = (Due(id="nobody-1", user="u", due_ns=START_NS),)
    for slow_ms in (None, 600):
        lost = tallies.tally(
            ledger(*rows), START_NS, START_NS + 60 * NS, slow_ms, due=DueList(requests=due, probes=due)
        )
        assert lost.missing == 2 and "2 more that were due are not in evidence" in str(lost.told)
    assert tallies.tally(ledger(), START_NS, START_NS + NS, due=DueList(requests=due, probes=())).missing == 1


def test_what_is_not_in_evidence_is_no_pass_and_a_fail_is_read_on_what_was_seen() -> None:
    less = [Tally(calls=1000, failed=failed, missing=1, first_ns=0, last_ns=0) for failed in (0, 1)]
    assert [deploys.undisturbed("c", met, 300).verdict for met in less] == [INCONCLUSIVE, FAIL]
    assert [never_ready(met=met)["phase2.cicd"] for met in less] == [INCONCLUSIVE, FAIL]
    assert [broken(undone(), after=after).verdict for after in less] == [INCONCLUSIVE, FAIL]
    usual = [Tally(calls=1000, failed=49, missing=missing) for missing in (1, 2)]
    assert [broken(undone(), after=after, usual=50).verdict for after in usual] == [PASS, INCONCLUSIVE]
    seen = [
        deploys.breaking_schema(
            "c", undone(), met=MET, past_undo=Tally(calls=100, failed=60), mended=mended, least_calls=100
        ).verdict
        for mended in (QUIET, Tally(calls=1000, failed=0, missing=1))
    ]
    assert seen == [SHOWN, INCONCLUSIVE]


def test_only_the_version_s_own_pods_are_slow_by_its_doing() -> None:
    rows = [request(1, latency_ms=900, pod="a"), request(5, latency_ms=700, pod="n0"), request(9, pod="n0")]
    found = tallies.slow_answers(rows, ["n0", "n1"], START_NS, START_NS + 60 * NS, 600, missing=4)
    assert (found.calls, found.failed, found.bad_s, found.missing) == (3, 1, 0.0, 4)
    none = tallies.slow_answers(rows, [], START_NS, START_NS + 60 * NS, 600, missing=4)
    assert (none.failed, none.missing) == (0, 4)


def never_ready(**changed: object) -> dict[str, Verdict]:
    stuck = [pod(-9, "a", "Ready"), pod(-9, "b", "Ready"), pod(1, "n0", "Running")]
    given: dict[str, object] = {
        "put": OK, "status": BAD, "undo": OK, "after": OK, "before_undo": seen(stuck), "met": QUIET,
        "seen": seen([*stuck, pod(40, "n0", "Terminating"), pod(45, "n0", "Gone")]), "replicas": 2, "least_calls": 300,
    } | changed  # fmt: skip
    ran = [given.pop(name) for name in ("put", "status", "undo", "after")]
    return verdicts(deploys.never_ready(ran, **given))  # type: ignore[arg-type]  # one of each


def test_a_version_that_is_never_ready_is_told_and_undone() -> None:
    assert never_ready() == {"cicd.rollout_status": PASS, "cicd.no_undo": SHOWN, "phase2.cicd": PASS}
    assert never_ready(status=OK)["cicd.rollout_status"] is FAIL
    ended = Ran(command="rollout status", status=-1, output="Waiting")
    assert never_ready(status=ended)["cicd.rollout_status"] is FAIL  # it said nothing; we ended it
    assert never_ready(undo=BAD)["phase2.cicd"] is FAIL
    assert never_ready(after=BAD)["phase2.cicd"] is FAIL
    assert never_ready(met=Tally(calls=1000, failed=1))["phase2.cicd"] is FAIL
    assert never_ready(met=Tally(calls=10, failed=0))["phase2.cicd"] is INCONCLUSIVE
    assert never_ready(seen=seen(replaced()))["phase2.cicd"] is FAIL  # it did become ready
    lost = [pod(-9, "a", "Ready"), pod(-9, "b", "Ready"), pod(2, "a", "Terminating"), pod(3, "a", "Gone")]
    assert never_ready(seen=seen(lost))["phase2.cicd"] is FAIL
    undone = [*replaced(), pod(12, "n0", "Gone")]
    assert never_ready(before_undo=seen(undone))["cicd.no_undo"] is INCONCLUSIVE


def test_a_version_of_which_no_pod_waited_or_that_was_never_put_there_proves_nothing() -> None:
    none = dict.fromkeys(("cicd.rollout_status", "cicd.no_undo", "phase2.cicd"), INCONCLUSIVE)
    two = seen([pod(-9, "a", "Ready"), pod(-9, "b", "Ready"), pod(1, "a", "Ready")])
    assert never_ready(before_undo=two) == never_ready(put=BAD) == none
    assert never_ready(before_undo=two, status=OK, undo=BAD) == none | dict.fromkeys(
        ("cicd.rollout_status", "phase2.cicd"), FAIL
    )
    ready = seen(replaced())  # its status failed for another reason
    assert never_ready(before_undo=ready)["cicd.rollout_status"] is INCONCLUSIVE


def fired(at_s: float, limit: str = "rollback.error_ratio") -> Judgement:
    return Judgement(
        id=limit, claim="c", kind=Kind.ROLLBACK_LIMIT, limit=0.03, unit=Unit.RATIO, verdict=FAIL, value=0.12,
        samples=100, told=(verbatim("fired"),), fired_at_ns=round(at_s * NS),
    )  # fmt: skip


def undone(ran: Ran = OK) -> Undone:
    return Undone(fired=fired(12), undo_ns=13 * NS, done_ns=20 * NS, ran=(OK, ran))


MET = Tally(calls=2000, failed=80, first_ns=10 * NS, last_ns=24 * NS)


def broken(what: Undone, met: Tally = MET, after: Tally = QUIET, within_s: float = 60, usual: int = 0) -> Judgement:
    return deploys.limit_broken("claim", what, met, after, within_s=within_s, least_after=100, usual=usual)


def test_a_broken_limit_is_undone_in_time_and_nothing_bad_is_left() -> None:
    good = broken(undone())
    assert (good.verdict, good.value, good.limit, good.unit) == (
        PASS,
        14.0,
        60,
        Unit.SECONDS,
    ) and "fired 2.0 s after the first bad answer" in good.reason
    assert broken(undone(), within_s=13).verdict is FAIL
    assert broken(undone(ran=BAD)).verdict is FAIL
    assert broken(Undone(fired=None)).verdict is FAIL
    assert broken(undone(), after=Tally(calls=1000, failed=1)).verdict is FAIL
    assert broken(undone(), after=Tally(calls=1000, failed=50), usual=50).verdict is PASS  # p95 allows a twentieth
    assert broken(undone(), after=Tally(calls=1000, failed=51), usual=50).verdict is FAIL
    assert broken(undone(), after=Tally(calls=99, failed=0)).verdict is INCONCLUSIVE
    assert broken(undone(), met=QUIET).verdict is INCONCLUSIVE  # it was not bad at all


def test_the_limit_that_fired_first_counts_and_says_what_slow_is() -> None:
    early, late = fired(3), fired(5, "rollback.latency_p95")
    assert deploys.broke([late, early]) == early
    assert deploys.broke([]) is None
    limits = [criterion("rollback", "latency_p95", ">", 600), criterion("rollback", "error_ratio", ">", 0.03)]
    assert deploys.slow_limit_ms(limits, late) == 600
    assert deploys.slow_limit_ms(limits, early) is None
    assert deploys.slow_limit_ms(limits, None) is None


def test_a_breaking_schema_is_shown_only_when_undo_did_not_help_and_the_way_back_did() -> None:
    def judged(what: Undone, past: int, mended: Tally = QUIET) -> Verdict:
        past_undo = Tally(calls=100, failed=past)
        found = deploys.breaking_schema("e", what, met=MET, past_undo=past_undo, mended=mended, least_calls=100)
        return found.verdict

    assert judged(undone(), 60) is SHOWN
    assert judged(undone(), 0) is INCONCLUSIVE
    assert judged(Undone(fired=None), 60) is INCONCLUSIVE
    assert judged(undone(), 60, Tally(calls=1000, failed=2)) is INCONCLUSIVE
    assert judged(undone(), 60, Tally(calls=9, failed=0)) is INCONCLUSIVE
    assert judged(msgspec.structs.replace(undone(), ran=(BAD, OK)), 60) is INCONCLUSIVE  # it was not undone
    assert judged(undone(ran=BAD), 0) is INCONCLUSIVE


def test_who_wrote_the_new_column() -> None:
    assert str(deploys.side_by_side({"a": 3, "n0": 4, "migration": 9}, ["a"], ["n0"])).startswith("rows")
    assert "3 inserted by old pods, 4 by new" in str(deploys.side_by_side({"a": 3, "n0": 4, "x": 9}, ["a"], ["n0"]))


# -- to the word -----------------------------------------------------------------------------------------------------

Words = tuple[str, Verdict, str, str]
FAILED_3 = Tally(calls=1000, failed=3, first_ns=0, last_ns=NS)


def measured(judgement: Judgement) -> str:
    """As it is shown: seconds are the one value that is a number."""
    return english(judgement.shown) if judgement.value is None else f"{judgement.value:.1f} {judgement.unit}"


def words(found: list[Judgement]) -> list[Words]:
    """Each finding; where it shows an erratum, that is its claim."""
    assert all(each.erratum == (each.claim if each.verdict is SHOWN else "") for each in found)
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
        (claims[4], FAIL, "2 failed", f"{counted}; 1 of them CREATEs on kept connections, judged as {claims[6]}"),
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
    def told(mended: Tally, ran: Ran = OK) -> list[Words]:
        past = Tally(calls=100, failed=60)
        return words(
            [deploys.breaking_schema("e", undone(ran), met=MET, past_undo=past, mended=mended, least_calls=100)]
        )

    said = (
        "80 of 2000 requests and probes failed, 14.0 s from the first to the last; after the undo was complete 60 of 100 "
        "still failed; with the schema taken back 0 of {} requests and probes failed"
    )
    assert told(Tally(calls=100, failed=0)) == [("e", SHOWN, "80 failed", f"shown: {said.format(100)}")]
    assert told(Tally(calls=99, failed=0)) == [("e", INCONCLUSIVE, "", said.format(99))]
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
