"""The judge of a lost zone, on planted courses: shared by both pods, never replaced, dark, without evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from harness.base.clock import NS, MachineClock
from harness.base.errors import RehearsalError
from harness.model.evidence import EventRow, Operation, Outcome, RequestRow, Side
from harness.model.judgement import Judgement, Verdict
from harness.model.parts import PartRun
from harness.rehearsals.chaos.bridge import PodPlaces
from harness.rehearsals.scaling import facts_sizes as zones
from harness.rehearsals.scaling.rehearsal import REHEARSAL
from harness.rehearsals.scaling.types import ScalingDetails, ScalingPart, ScalingPartKind, ScalingPlan, ZoneLost
from harness.rules.zones import fullest, nodes, placement
from harness.run import result as conclude
from tests.rehearsal.made import by_id, seen
from tests.scaling.made import of, ruled

MULTI_ZONE, REHEARSED = "requirements.multi_zone", "checklist.availability.multi_zone"
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
PART = ScalingPart(name="z", kind=ScalingPartKind.ZONE, title="", claims=(), low=2, high=2, up_within_s=450)
A, B, C = "zone-a", "zone-b", "zone-c"


def node(at_s: float, name: str, zone: str, *, ready: bool = True, news: bool = False) -> EventRow:
    kind, subject = ("node", name) if news else ("component", f"node/{name}")
    data = {"node": name, "zone": zone, "ready": ready}
    return EventRow(at_ns=round(at_s * NS), kind=kind, subject=subject, message="", data=data)


def pod(at_s: float, name: str, on: str, state: str = "Ready") -> EventRow:
    data = {"state": state, "node": on}
    return EventRow(at_ns=round(at_s * NS), kind="pod", subject=name, message="", data=data)


def service(at_s: float, *pods: str) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind="component", subject="service", message="", data={"pods": pods})


def request(at_s: float, outcome: Outcome) -> RequestRow:
    at_ns = round(at_s * NS)
    return RequestRow(
        operation_id=f"o{at_s}", user="u", audience="general", side=Side.API, operation=Operation.GET_WALK,
        due_ns=at_ns, sent_ns=at_ns, done_ns=at_ns, status=200, outcome=outcome, acknowledged=False, payload_digest="",
        flag=True,
    )  # fmt: skip


def course(*, second: str = "n2", replaced_s: float = 370) -> list[EventRow]:
    """Two pods; the zone of n1 is lost at 0 s."""
    rows = [node(-90, "n1", A), node(-90, "n2", B), node(-90, "n3", C)]
    rows += [pod(-60, "p1", "n1"), pod(-60, "p2", second), service(-50, "p1", "p2")]
    left = ("p2",) if second != "n1" else ()
    rows += [node(50, "n1", A, ready=False, news=True), service(51, *left), pod(350, "p1", "n1", "Terminating")]
    return [*rows, pod(replaced_s - 1, "p3", "n3"), service(replaced_s, *left, "p3", *(() if left else ("p4",)))]


def load(failing_until_s: float, *, all_of_them: bool = False) -> list[RequestRow]:
    def outcome(at_s: int) -> Outcome:
        return Outcome.TIMEOUT if at_s < failing_until_s and (all_of_them or at_s % 2) else Outcome.OK

    return [request(at_s + 0.5, outcome(at_s)) for at_s in range(400)]


def of_loss(part: ScalingPart, did: ZoneLost, rows: list[EventRow], requests: Sequence[RequestRow]) -> list[Judgement]:
    """On the zones that answered, and on the pods that came back."""
    loss = zones.seen(part, did, rows, requests)
    return ruled(part, (MULTI_ZONE, REHEARSED), zones.facts(of(part), part, loss, spread=did.spread))


def judged(rows: list[EventRow], requests: list[RequestRow], *, spread: bool = True) -> dict[str, tuple[Verdict, str]]:
    zone = fullest(placement(rows, 0))
    did = ZoneLost(zone=zone, lost_ns=0, end_ns=460 * NS, spread=spread)
    return {each.claim: (each.verdict, each.reason) for each in of_loss(PART, did, rows, requests)}


def test_a_zone_lost_and_replaced() -> None:
    found = judged(course(), load(51))
    assert {verdict for verdict, _ in found.values()} == {PASS}
    assert "zone-a 1, zone-b 1" in found[MULTI_ZONE][1] and "25 of 400 requests failed" in found[MULTI_ZONE][1]
    for words in ("not ready after 50 s", "gone after 51 s", "given up after 350 s", "zones after 370 s"):
        assert words in found[REHEARSED][1]


def test_both_pods_in_the_zone_that_is_lost() -> None:
    rows = [*course(second="n1"), pod(365, "p4", "n2")]
    found = judged(rows, load(370, all_of_them=True))
    assert found[MULTI_ZONE][0] is FAIL and "zone-a 2" in found[MULTI_ZONE][1]
    as_written = judged(rows, load(370, all_of_them=True), spread=False)
    assert as_written[MULTI_ZONE][0] is Verdict.ERRATUM_SHOWN and "asks for no spread" in as_written[MULTI_ZONE][1]


def test_a_dark_window_fails_although_the_pods_were_spread() -> None:
    for spread in (True, False):  # that the pods shared a zone is not what made it dark
        assert judged(course(), load(30, all_of_them=True), spread=spread)[MULTI_ZONE][0] is FAIL


def test_replaced_too_late_or_never_or_in_the_lost_zone() -> None:
    assert judged(course(replaced_s=455), load(51))[REHEARSED][0] is FAIL
    assert judged(course(replaced_s=900), load(51))[REHEARSED][0] is FAIL
    back = [*course(replaced_s=900), pod(100, "p9", "n1"), service(101, "p2", "p9")]
    assert judged(sorted(back, key=lambda row: row.at_ns), load(51))[REHEARSED][0] is FAIL


@pytest.mark.parametrize(("later", "verdict"), [((), FAIL), ((service(380, "p2", "p3"),), PASS)])
def test_a_pod_that_is_back_for_a_moment_is_not_back(later: tuple[EventRow, ...], verdict: Verdict) -> None:
    """As one that falls over again and again in its new place."""
    found = judged([*course(), service(372, "p2"), *later], load(51))[REHEARSED]
    assert found[0] is verdict, found[1]
    assert ("at the end they were not there any more" in found[1]) is (verdict is FAIL)
    assert f"zones after {370 if verdict is FAIL else 380} s" in found[1]


def test_pods_that_are_back_for_good_too_late_were_not_back_in_time() -> None:
    """Once for two seconds within the limit, then gone until after it."""
    found = judged([*course(), service(372, "p2"), service(455, "p2", "p3")], load(51))[REHEARSED]
    assert found[0] is FAIL and "zones after 455 s" in found[1]


@pytest.mark.parametrize(("replaced_s", "verdict"), [(None, FAIL), (370, PASS)])
def test_of_three_pods_two_that_were_elsewhere_replace_none(replaced_s: float | None, verdict: Verdict) -> None:
    """Somebody's own manifests, spread over the three zones."""
    rows = [node(-90, "n1", A), node(-90, "n2", B), node(-90, "n3", C)]
    rows += [pod(-60, name, on) for name, on in (("p1", "n1"), ("p2", "n2"), ("p3", "n3"))]
    rows += [service(-50, "p1", "p2", "p3"), node(50, "n1", A, ready=False, news=True), service(51, "p2", "p3")]
    if replaced_s is not None:
        rows += [pod(replaced_s - 1, "p4", "n2"), service(replaced_s, "p2", "p3", "p4")]
    found = judged(rows, load(51))[REHEARSED]
    assert found[0] is verdict and "3 ready in other zones" in found[1], found[1]


def test_a_pod_of_which_nobody_told_where_it_is_is_in_no_other_zone() -> None:
    """The cluster told neither its node nor, of another, the node's zone."""
    unplaced = [row for row in course() if row.subject != "p3"]
    of_no_zone = [row for row in course() if row.subject != "node/n3"]
    for rows in (unplaced, of_no_zone):
        assert judged(rows, load(51))[REHEARSED][0] is FAIL
    assert judged([*unplaced, pod(380, "p3", "n3")], load(51))[REHEARSED][0] is PASS, "told later"


def closed(*stretches_s: tuple[float, float], load_ns: int | None = -20 * NS) -> tuple[Verdict, str]:
    """Of users who each wait for their answer: asked once a second, but not in ``stretches_s``, until 420 s."""
    part = msgspec.structs.replace(PART, in_flight=8, load_s=440)
    asked = [at_s for at_s in range(420) if not any(first <= at_s < last for first, last in stretches_s)]
    did = ZoneLost(zone=A, load_ns=load_ns, lost_ns=0, end_ns=460 * NS, spread=True)
    found = of_loss(part, did, course(), [request(at_s + 0.5, Outcome.OK) for at_s in asked])[0]
    return found.verdict, found.reason


def test_where_all_users_hung_and_nobody_asked_it_is_not_known_that_anybody_was_answered() -> None:
    told = "in 2 windows of 10 s nothing was due"
    assert closed()[0] is PASS and "nothing was due" not in closed()[1]
    assert closed((21, 39))[0] is PASS, "each window had a request"
    verdict, why = closed((20, 40))
    assert verdict is INCONCLUSIVE and told in why, why
    assert closed((400, 420))[0] is INCONCLUSIVE and closed((410, 420))[0] is INCONCLUSIVE
    assert closed((20, 40), load_ns=None)[0] is PASS, "until when it was to be asked is not known"
    hung = [request(20.5, Outcome.TIMEOUT), *(request(at_s + 0.5, Outcome.OK) for at_s in range(420) if at_s < 20)]
    part, did = (
        msgspec.structs.replace(PART, in_flight=8, load_s=60),
        ZoneLost(zone=A, load_ns=-20 * NS, lost_ns=0, end_ns=60 * NS, spread=True),
    )
    assert of_loss(part, did, course(), hung)[0].verdict is FAIL, "a dark window stays one"


def test_nothing_seen_is_inconclusive() -> None:
    never_silent = [row for row in course() if row.kind != "node"]
    placed_nowhere = [row for row in course() if not row.subject.startswith("node/")]
    for rows, requests in ((course(), []), (never_silent, load(51)), (placed_nowhere, load(51)), ([], load(51))):
        assert {verdict for verdict, _ in judged(rows, requests).values()} == {INCONCLUSIVE}


def test_a_fault_of_a_place_strikes_where_the_most_pods_are() -> None:
    rows = [node(-90, "n1", A), node(-90, "n2", B), node(-90, "n3", B)]
    rows += [pod(-60, "p1", "n2"), pod(-60, "p2", "n3"), pod(-60, "p3", "n1"), pod(-60, "p4", "n1")]
    clock = MachineClock()
    places = PodPlaces(lambda: rows, clock)
    with pytest.raises(RehearsalError, match="would strike nothing"):
        places.zone()
    rows.append(service(-50, "p1", "p2", "p3"))
    assert places.zone() == B
    rows.append(service(-40, "p1", "p3", "p4"))
    assert (places.zone(), places.node()) == (A, "n1")


def test_the_pods_are_where_the_cluster_told_by_the_moment_and_nowhere_where_it_did_not() -> None:
    rows = [node(1, "n1", A), pod(2, "p1", "n1"), pod(2, "p2", "n2"), service(3, "p1", "p2", "p3"), node(4, "n2", B)]
    rows = [*rows, pod(5, "p3", ""), node(5, "p3", C)]
    rows.append(EventRow(at_ns=5 * NS, kind="pod", subject="p1", message="its image is there"))
    assert (nodes(rows, 2 * NS), placement(rows, 2 * NS)) == ({}, {})
    assert nodes(rows, 3 * NS) == nodes(rows, 9 * NS) == {"p1": "n1", "p2": "n2", "p3": ""}
    assert placement(rows, 3 * NS) == {"p1": A, "p2": "", "p3": ""}
    assert placement(rows, 4 * NS) == placement(rows, 9 * NS) == {"p1": A, "p2": B, "p3": ""}


def test_the_fullest_zone_is_the_first_by_name_of_equals_and_none_where_no_pod_has_one() -> None:
    assert fullest({"p1": B, "p2": A, "p3": C, "p4": B}) == B
    assert fullest({"p1": B, "p2": A}) == A
    assert fullest({"p1": "", "p2": ""}) == fullest({}) == ""


@pytest.mark.parametrize(
    ("fails", "verdict"),
    [
        (lambda at_s: at_s < 51 and at_s % 2 == 1, PASS),  # the lost pod's half, until it is no endpoint
        (lambda at_s: at_s % 100 != 0, FAIL),  # one good answer in 100 s
        (lambda at_s: at_s % 10 != 0, FAIL),  # one in each 10 s
        (lambda at_s: at_s < 51 and at_s % 10 != 0, FAIL),  # more than the lost pod's
        (lambda at_s: at_s > 51 and at_s % 20 == 0, FAIL),  # one in twenty, long after it
        (lambda at_s: at_s in (100, 200), INCONCLUSIVE),  # so few that it may be within the limit, or beyond
    ],
)
def test_a_lost_zone_may_cost_users_what_its_pods_had_to_answer(fails: Callable[[int], bool], verdict: Verdict) -> None:
    part = msgspec.structs.replace(PART, claims=(MULTI_ZONE, REHEARSED))
    plan = ScalingPlan(name="zone_loss", title="", parts=(part,))
    did = ZoneLost(zone=A, lost_ns=0, end_ns=460 * NS, spread=True)
    details = ScalingDetails(runs={"z": PartRun(start_ns=-90 * NS, end_ns=460 * NS)}, did={"z": did})
    requests = [request(at_s + 0.5, Outcome.TIMEOUT if fails(at_s) else Outcome.OK) for at_s in range(400)]
    found = by_id(conclude.judged(REHEARSAL, plan, seen(details, [*course(), *requests])), "z")[MULTI_ZONE]
    assert (found.verdict, found.holds) == (verdict, verdict is not PASS), found.reason
