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
from harness.model.message import verbatim
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
    alone = [*replaced(stays=True)[:-1], pod(9.1, "b", "Terminating"), pod(11, "b", "Gone")]  # n1 is never ready
    assert released(alone)["deploy.rolling.complete"] is FAIL
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
    assert released(replaced(), lost, OK, *claims) == {claims[0]: SHOWN, claims[1]: SHOWN}
    assert released(replaced(), lost, OK, claims[0]) == {claims[0]: FAIL}, "with the component nothing excuses it"
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
    assert verdicts(found) == {claims[0]: SHOWN, claims[1]: SHOWN, claims[2]: SHOWN}
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


def test_pods_that_other_parts_end_later_explain_no_create_of_this_one() -> None:
    """A run is judged whole at its end: each later part ends pods too, and eight CREATEs of two pods stay no chance."""
    lost = [create(6.0 + number / 10) for number in range(8)]
    later = [pod(at_s, name, state) for name in "wxyz" for at_s, state in ((70, "Terminating"), (72, "Gone"))]
    assert tallies.lost_at_close(lost, [*replaced(), *later], 0, 60 * NS) == (0, 2)
    assert tallies.lost_at_close(lost[:3], [*replaced(), *later], 0, 9 * NS) == (0, 1)  # b goes when nobody looks


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
    usual = [Tally(calls=1000, failed=49, missing=missing) for missing in (0, 1)]  # the one may have been an error
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
    assert never_ready(status=OK) == {"cicd.rollout_status": FAIL, "cicd.no_undo": INCONCLUSIVE, "phase2.cicd": PASS}
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


@pytest.mark.parametrize(
    "went", [[pod(33, "n0", "Terminating")], [pod(33, "n0", "Terminating"), pod(34, "n0", "Gone")]]
)
def test_a_version_that_somebody_else_undid_shows_no_lack_of_an_undo(went: list[EventRow]) -> None:
    """As a controller of progressive delivery does within the five seconds in which nobody else acts."""
    stuck = [pod(-9, "a", "Ready"), pod(-9, "b", "Ready"), pod(1, "n0", "Running"), pod(2, "n0", "CrashLoopBackOff")]
    assert never_ready(before_undo=seen(stuck, 35))["cicd.no_undo"] is SHOWN
    undone = never_ready(before_undo=seen([*stuck, *went], 35))
    assert undone == {"cicd.rollout_status": PASS, "cicd.no_undo": INCONCLUSIVE, "phase2.cicd": PASS}


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


def broken(
    what: Undone, met: Tally = MET, after: Tally = QUIET, within_s: float = 60, usual: int = 0, wrong: int = 0
) -> Judgement:
    return deploys.limit_broken("claim", what, met, after, within_s=within_s, least_after=100, usual=usual, wrong=wrong)


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
    lost = broken(Undone(fired=None), met=msgspec.structs.replace(MET, missing=500))
    assert lost.verdict is INCONCLUSIVE and "500" in lost.reason, "those may be what the limit needs to fire"
    for missing, verdict in ((79, FAIL), (80, INCONCLUSIVE)):
        assert broken(Undone(fired=None), met=msgspec.structs.replace(MET, missing=missing)).verdict is verdict
    assert broken(undone(), after=Tally(calls=1000, failed=1)).verdict is FAIL
    assert broken(undone(), after=Tally(calls=1000, failed=50), usual=50).verdict is PASS  # p95 allows a twentieth
    assert broken(undone(), after=Tally(calls=1000, failed=51), usual=50).verdict is FAIL
    wrong = broken(undone(), after=Tally(calls=1000, failed=50), usual=50, wrong=1)  # and lets no answer be an error
    assert wrong.verdict is FAIL and wrong.reason.endswith(
        "; 1 of these were errors: a twentieth may be late, not wrong"
    )
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

    assert judged(undone(), 60) is judged(undone(), 1) is SHOWN
    assert judged(undone(), 0) is INCONCLUSIVE
    assert judged(Undone(fired=None), 60) is INCONCLUSIVE
    assert judged(undone(), 60, Tally(calls=1000, failed=2)) is INCONCLUSIVE
    assert judged(undone(), 60, Tally(calls=9, failed=0)) is INCONCLUSIVE
    assert judged(msgspec.structs.replace(undone(), ran=(BAD, OK)), 60) is INCONCLUSIVE  # it was not undone
    assert judged(undone(ran=BAD), 0) is INCONCLUSIVE
