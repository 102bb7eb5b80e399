"""The judge of scaling, on planted courses: slow, never, a breached budget, an autoscaler that did nothing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from harness.base.ticks import NS
from harness.base.units import Unit
from harness.checks.as_printed import PHASE_2
from harness.model.command import Ran
from harness.model.evidence import EventRow
from harness.model.judgement import Judgement, Verdict
from harness.rehearsals.scaling import facts, facts_sizes
from harness.rehearsals.scaling.types import (
    Applied,
    Commanded,
    Drained,
    Effect,
    Loaded,
    Manual,
    ScalingPart,
    ScalingPartKind,
    TakenBack,
)
from tests.scaling.made import ON_LOAD, of, ruled

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
#: What else of the document an autoscaler under CPU shows: by the way up, and by the way up and down.
LINKED = ("manifest.hpa.cpu", "strategy.versus.scaling", "decision.replicas_2_10", "strategy.merit.autopilot")
MANUAL = ScalingPart(
    name="manual", kind=ScalingPartKind.MANUAL, title="", claims=(), low=2, high=4, up_within_s=45, down_within_s=15
)
COMMANDS = msgspec.structs.replace(MANUAL, kind=ScalingPartKind.COMMANDS)
BY_KUBECTL = (
    "monitoring.commands", "scaling.hpa.apply", "cicd.set_image", "cicd.rollout_status", "operations.first_deploy",
    "operations.confirm", "monitoring.logs_command", "scaling.manual.command", "scaling.manual.manifest",
)  # fmt: skip
HPA = ScalingPart(
    name="hpa", kind=ScalingPartKind.HPA, title="", claims=(), low=2, high=5,
    up_within_s=180, down_after_s=285, down_within_s=390,
)  # fmt: skip


def endpoints(at_s: float, count: int) -> EventRow:
    names = [f"p{number}" for number in range(count)]
    return EventRow(at_ns=round(at_s * NS), kind="component", subject="service", message="", data={"pods": names})


def pod(at_s: float, name: str, state: str) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind="pod", subject=name, message="", data={"state": state})


def resize(at_s: float, size: int, reason: str, kind: str = "kubernetes") -> EventRow:
    message = f"SuccessfulRescale: New size: {size}; reason: {reason}"
    return EventRow(at_ns=round(at_s * NS), kind=kind, subject="hpa", message=message)


def verdicts(judgements: list[Judgement]) -> dict[str, Verdict]:
    return {each.claim: each.verdict for each in judgements if each.claim}


def of_manual(part: ScalingPart, did: Manual, rows: list[EventRow]) -> list[Judgement]:
    claims = ("scaling.time.manual_up", "scaling.time.manual_down", "scaling.manual.command")
    return ruled(part, claims, facts_sizes.manual(of(part), part, did, rows))


def by_kubectl(rows: list[EventRow]) -> list[Judgement]:
    """Scaled up at 0 s and down at 100 s."""
    return of_manual(MANUAL, Manual(up_ns=0, down_ns=100 * NS), rows)


def manifests_applied(rows: list[EventRow], replicas: int = 2) -> Judgement:
    """At 100 s."""
    fact = facts_sizes.applied(of(MANUAL), MANUAL, Applied(applied_ns=100 * NS, replicas=replicas), rows)
    [found] = ruled(MANUAL, ["scaling.manual.manifest"], [fact])
    return found


def drained(rows: list[EventRow], granted: int, refused: int = 1, least: int = 1) -> list[Judgement]:
    did = Drained(since_ns=0, until_ns=9 * NS, least=least, granted=granted, refused=refused, took_s=9.0)
    claims = ("manifest.pdb", "checklist.availability.pdb")
    return ruled(MANUAL, claims, [facts_sizes.drained(of(MANUAL), did, rows)])


def autoscaled(
    rows: list[EventRow],
    end_s: int = 200,
    asked: Sequence[tuple[int, str, float]] = (),
    *,
    by_resource: bool = True,
    part: ScalingPart = HPA,
) -> list[Judgement]:
    """Under load from 0 s on."""
    did = Loaded(load_ns=0, end_ns=end_s * NS)
    found = [*facts.autoscaled(of(part), part, did, rows, asked=asked, by_resource=by_resource)]
    return ruled(part, ON_LOAD, found if asked else [*found, of(part)("asked.most", 10)])


def taken_back(rows: list[EventRow]) -> Judgement:
    fact = facts_sizes.taken_back(of(MANUAL), MANUAL, TakenBack(scaled_ns=0), rows)
    [found] = ruled(MANUAL, ["scaling.hpa_takes_back"], [fact])
    return found


def commands(ran: dict[str, Ran], effects: Sequence[Effect] = ()) -> list[Judgement]:
    did = Commanded(begun_ns=0, ran=ran, effects=tuple(effects))
    return ruled(COMMANDS, BY_KUBECTL, facts_sizes.commands(of(COMMANDS), did))


def by_hand(up_s: float, gone_s: float) -> list[EventRow]:
    """Scaled up at 0 s and down at 100 s."""
    rows = [pod(-9, name, "Ready") for name in "abcd"] + [endpoints(-9, 2), endpoints(5, 3), endpoints(up_s, 4)]
    rows += [pod(101, name, "Terminating") for name in "ab"] + [endpoints(101, 2), pod(102, "a", "Gone")]
    return [*rows, pod(gone_s, "b", "Gone")]


def test_a_terminating_pod_is_still_there() -> None:
    good = verdicts(by_kubectl(by_hand(30, 112)))
    assert set(good.values()) == {PASS}
    slow = verdicts(by_kubectl(by_hand(46, 116)))
    assert (slow["scaling.time.manual_up"], slow["scaling.time.manual_down"]) == (FAIL, FAIL)


def test_what_never_came_fails() -> None:
    found = verdicts(by_kubectl([endpoints(5, 3), pod(1, "a", "Ready"), pod(1, "b", "Ready")]))
    assert set(found.values()) == {FAIL}


@pytest.mark.parametrize(
    ("begun", "rows", "verdict"),
    [
        (3, [endpoints(30, 4)], INCONCLUSIVE),  # one pod was made, and it is of two
        (4, [], INCONCLUSIVE),  # there was nothing to do
        (6, [endpoints(0.3, 5), endpoints(0.4, 4)], INCONCLUSIVE),  # pods went
        (1, [endpoints(30, 4)], INCONCLUSIVE),
        (1, [endpoints(30, 3)], FAIL),  # not even the part of it
        (3, [], FAIL),
    ],
)
def test_of_pods_that_were_more_or_fewer_before_no_rise_is_seen(
    begun: int, rows: list[EventRow], verdict: Verdict
) -> None:
    """By manifests of somebody's own; what never came is missing all the same."""
    ready = [pod(-9, name, "Ready") for name in "abcd"]
    went = [endpoints(-9, begun), *rows, *(pod(101, name, "Gone") for name in "ab")]
    found = {each.claim: each for each in by_kubectl([*ready, *went])}
    for claim in ("scaling.time.manual_up", "scaling.manual.command"):
        assert found[claim].verdict is verdict, claim
        assert (f"{begun} pods were ready before" in found[claim].reason) == (verdict is INCONCLUSIVE)


def test_the_manifest_s_replicas_replace_the_number_set_by_hand() -> None:
    """Applied at 100 s, with two more pods than it asks for; a pod that is still going counts."""
    found = manifests_applied(by_hand(30, 112))
    assert (found.claim, found.verdict, found.value, found.unit) == (
        "scaling.manual.manifest", PASS, 12.0, Unit.SECONDS
    )  # fmt: skip
    assert found.reason == "4 pods, then the manifests with replicas: 2 applied: 2 pods: 12 s"
    stays = manifests_applied([row for row in by_hand(30, 112) if row.data.get("state") != "Gone"])
    assert (stays.verdict, stays.value) == (FAIL, None)


@pytest.mark.parametrize(
    ("replicas", "gone", "verdict"),
    [(3, "a", PASS), (3, "ab", FAIL), (1, "abc", PASS), (1, "ab", FAIL), (4, "", INCONCLUSIVE), (5, "", INCONCLUSIVE)],
)
def test_somebody_s_own_manifests_are_held_to_their_own_replicas(replicas: int, gone: str, verdict: Verdict) -> None:
    """From 4 pods, in a part that is of 2; nothing is seen where none was to go."""
    rows = [pod(-9, name, "Ready") for name in "abcd"] + [pod(112, name, "Gone") for name in gone or "x"]
    assert manifests_applied(rows, replicas).verdict is verdict


def test_where_there_were_never_more_pods_going_to_the_fewest_is_not_known() -> None:
    two = [pod(-9, "a", "Ready"), pod(-9, "b", "Ready"), pod(101, "a", "Ready")]
    found = manifests_applied(two)
    assert found.verdict is INCONCLUSIVE and "only 2 pods were ready before" in found.reason
    assert verdicts(by_kubectl(two)) == {
        "scaling.time.manual_up": FAIL, "scaling.time.manual_down": INCONCLUSIVE, "scaling.manual.command": FAIL
    }  # fmt: skip
    assert manifests_applied([*two, pod(102, "c", "Ready")]).verdict is INCONCLUSIVE
    assert manifests_applied([*two[:2], *(pod(99, name, "Ready") for name in "cdef"), two[2]]).verdict is FAIL


def test_pods_that_died_are_no_scaling() -> None:
    died = [*by_hand(30, 112), pod(113, "c", "Running"), pod(113, "d", "Gone")]
    applied = manifests_applied(died)
    assert (applied.verdict, applied.value) == (FAIL, None)
    assert "2 pods of which only 0 are ready" in applied.reason
    manual = verdicts(by_kubectl(died))
    assert manual["scaling.time.manual_up"] is PASS
    assert (manual["scaling.time.manual_down"], manual["scaling.manual.command"]) == (FAIL, FAIL)
    up = [endpoints(-1, 2), resize(30, 5, "cpu resource above target"), endpoints(70, 5)]
    down = [resize(510, 2, "All metrics below target"), endpoints(512, 2)]
    after = [verdicts(autoscaled(up + down + end)) for end in ([], [endpoints(513, 1)])]
    assert [each["scaling.hpa.down_to_2"] for each in after] == [PASS, FAIL]
    none = autoscaled([*up, *down[:1], endpoints(511, 0), endpoints(512, 2)])[3]
    assert none.verdict is FAIL and "0 at the fewest" in none.reason


@pytest.mark.parametrize(
    ("decided", "words"),
    [
        ([], "the last size that the autoscaler asked for: 5"),
        (
            [resize(510, 4, "All metrics below target"), endpoints(512, 4)],
            "the last size that the autoscaler asked for: 4",
        ),
        (
            [resize(510, 2, "below"), endpoints(512, 2), resize(540, 3, "x")],
            "the last size that the autoscaler asked for: 3",
        ),
    ],
)
def test_pods_that_end_of_themselves_are_not_scaled_in(decided: list[EventRow], words: str) -> None:
    """Two of five are left, and nobody asked for two: the others fell over."""
    up = [endpoints(-1, 2), resize(30, 5, "cpu resource above target"), endpoints(70, 5)]
    found = autoscaled([*up, *decided, endpoints(600, 2)])[3]
    assert found.verdict is FAIL and words in found.reason
    nobody = autoscaled([*(row for row in up if row.kind == "component"), endpoints(600, 2)])[3]
    assert nobody.verdict is FAIL and "the last size that the autoscaler asked for: never" in nobody.reason


def test_the_time_up_is_to_all_pods_that_were_asked_for_in_it() -> None:
    """Five are asked for at 30 s; load until 200 s. What few of them are ready by then is no measure of the way up."""

    def judged(*rows: EventRow) -> tuple[Verdict, float | None, str]:
        found = autoscaled([endpoints(-1, 2), resize(30, 5, "cpu resource above target"), endpoints(70, 3), *rows])
        return found[0].verdict, found[0].value, found[0].reason.partition(":")[0]

    assert judged() == (FAIL, None, "load to 5 ready endpoints")
    assert judged(endpoints(230, 5)) == (FAIL, 230.0, "load to 5 ready endpoints")
    assert judged(endpoints(170, 5)) == (PASS, 170.0, "load to 5 ready endpoints")
    assert judged(endpoints(170, 5), resize(181, 6, "cpu")) == (PASS, 170.0, "load to 5 ready endpoints")
    few = autoscaled([endpoints(-1, 2), resize(30, 5, "cpu resource above target"), endpoints(70, 3)])[1]
    assert (
        few.verdict is INCONCLUSIVE and "at most 3 pods were ready" in few.reason and "asked for 5 pods" in few.reason
    )


def test_pods_that_were_there_before_the_load_are_no_way_up() -> None:
    """Somebody's own manifests begin with three: one is not ready for 10 s, and the autoscaler adds none."""
    flaps = [endpoints(-1, 3), endpoints(50, 2), endpoints(60, 3)]
    assert verdicts(autoscaled(flaps))["scaling.time.hpa_up"] is FAIL
    up, rose, *_ = autoscaled([*flaps, resize(70, 5, "cpu resource above target"), endpoints(90, 5)])
    assert (up.verdict, up.value, rose.limit, rose.value) == (PASS, 90.0, 3, 5)


def test_the_first_fall_is_from_what_the_autoscaler_had_asked_for() -> None:
    """Three of five pods were ever ready. It lets go of one 15 s after the load: that is no five minutes."""
    up = [endpoints(-1, 2), resize(30, 5, "cpu resource above target"), endpoints(70, 3)]
    early = [resize(215, 4, "All metrics below target"), resize(510, 2, "All metrics below target"), endpoints(512, 2)]
    found = autoscaled([*up, *early], asked=[(60 * NS, "hpa", 5.0), (200 * NS, "hpa", 5.0)])[2]
    assert (found.verdict, found.value) == (FAIL, 15.0)


def test_a_pod_that_is_not_ready_for_a_moment_is_no_scaling() -> None:
    """The load ends at 200 s: what the autoscaler asks for counts, and what stays."""
    up = [endpoints(-1, 2), resize(30, 4, "cpu resource above target"), endpoints(70, 4)]
    down = [resize(510, 2, "All metrics below target"), endpoints(512, 2)]

    def judged(*rows: EventRow) -> tuple[Verdict, str]:
        found = autoscaled([*up, *rows])[3]
        return found.verdict, found.reason

    for rows in ((*down, endpoints(514, 1), endpoints(516, 2)), (endpoints(201, 1), endpoints(210, 4), *down)):
        verdict, why = judged(*rows)
        assert verdict is PASS and "after 312 s, 2 at the end" in why and "1 at the fewest" in why
    assert judged(endpoints(201, 2), endpoints(210, 4))[0] is FAIL
    less = resize(510, 1, "All metrics below target"), endpoints(512, 1), resize(520, 2, "x"), endpoints(530, 2)
    assert judged(*less) == (FAIL, "the autoscaler asked for 1; at least 2 is wanted")


def drain(ready_beside: bool) -> list[EventRow]:
    rows = [pod(-5, "a", "Ready"), pod(-5, "b", "Ready"), pod(1, "a", "Terminating"), pod(1, "c", "Pending")]
    rows += [pod(4, "c", "Ready")] if ready_beside else []
    return [*rows, pod(5, "b", "Terminating")]


def test_an_eviction_that_leaves_too_few_is_a_breach() -> None:
    def judged(rows: list[EventRow], granted: int) -> set[Verdict]:
        return set(verdicts(drained(rows, granted)).values())

    assert judged(drain(True), 2) == {PASS}
    assert judged(drain(False), 2) == {FAIL}
    assert judged(drain(True), 3) == {INCONCLUSIVE}  # one is not in the stream
    assert judged([], 0) == {INCONCLUSIVE}
    breach = drained(drain(False), 2, refused=0)[0]
    assert "breached by b" in breach.reason
    # Without a budget nothing is kept, and what is lost is lost.
    for rows, verdict in ((drain(True), Verdict.NOT_EXERCISED), (drain(False), FAIL)):
        for found in (*drained(rows, 2, refused=0, least=0), *drained(rows, 2, refused=0, least=-1)):
            assert found.verdict is verdict and "no PodDisruptionBudget" in found.reason
            assert ("minAvailable: 0" in found.reason) is (verdict is FAIL)


@pytest.mark.parametrize(
    ("ready_s", "verdict", "words"),
    [(45, PASS, "; sooner than the 60 s"), (60, PASS, "; not sooner than"), (181, FAIL, "; not sooner than")],
)
def test_sooner_than_the_printed_least_is_good_and_told(ready_s: int, verdict: Verdict, words: str) -> None:
    """1〜3分: beyond the most is a fail; before the least nobody has lost anything."""
    part = msgspec.structs.replace(HPA, up_after_s=60.0)
    up = [endpoints(-1, 2), resize(15, 4, "cpu resource above target"), endpoints(ready_s, 4)]
    found = autoscaled(up, part=part)[0]
    assert (found.claim, found.verdict, words in found.reason) == ("scaling.time.hpa_up", verdict, True), found.reason
    never = autoscaled(up[:1], part=part)[0]
    assert never.verdict is FAIL and "sooner" not in never.reason


@pytest.mark.parametrize(("asked_s", "verdict"), [(601, INCONCLUSIVE), (600, FAIL), (190, FAIL)])
def test_not_at_the_fewest_says_nothing_while_the_metrics_asked_for_more(asked_s: int, verdict: Verdict) -> None:
    """Within the five minutes of stabilisation before the last look, at 900 s, nothing could go."""
    rows = [
        endpoints(-1, 2),
        resize(30, 5, "cpu above target"),
        endpoints(40, 5),
        resize(600, 3, "below"),
        endpoints(900, 3),
    ]
    found = autoscaled(rows, asked=[(60 * NS, "hpa", 5.0), (asked_s * NS, "hpa", 3.0), (890 * NS, "hpa", 2.0)])[3]
    assert (found.id, found.verdict) == ("scaling.hpa.down_to_2", verdict)
    assert ("to the last look: 299 s" in found.reason) is (verdict is INCONCLUSIVE)


def test_the_autoscaler_up_and_down() -> None:
    """Load from 0 to 200 s."""
    up = [endpoints(-1, 2), resize(30, 4, "cpu resource utilization (percentage of request) above target")]
    up += [endpoints(40, 4), resize(60, 5, "cpu resource above target", "autoscaler"), endpoints(70, 5)]
    down = [resize(510, 2, "All metrics below target"), endpoints(512, 2)]
    good = autoscaled(up + down)
    assert set(verdicts(good).values()) == {PASS}
    assert "30 s: 4" in good[1].reason and good[2].value == 310.0
    early = [resize(300, 2, "All metrics below target"), endpoints(302, 2)]
    assert verdicts(autoscaled(up + early))["scaling.time.hpa_down"] is FAIL
    # The load pressed no more from 190 s on: 310 s later the window is over.
    fell = [resize(500, 2, "All metrics below target"), endpoints(502, 2)]
    asked = [(60 * NS, "hpa", 5.0), (190 * NS, "hpa", 5.0), (205 * NS, "hpa", 4.0)]
    down_s = autoscaled(up + fell, 240, asked=asked)[2]
    assert (down_s.verdict, down_s.value) == (PASS, 310.0) and "50 s before" in down_s.reason
    assert autoscaled(up + fell, 240)[2].verdict is FAIL
    still = verdicts(autoscaled(up))
    assert (still["scaling.time.hpa_down"], still["scaling.hpa.down_to_2"]) == (FAIL, FAIL)
    after = autoscaled([*up, resize(560, 4, "All metrics below target"), endpoints(562, 4), endpoints(900, 4)],
                       asked=[(60 * NS, "hpa", 5.0), (250 * NS, "hpa", 5.0)])  # fmt: skip
    assert "50 s after its cause had ended" in after[2].reason and after[2].value == 310.0
    idle = verdicts(autoscaled([endpoints(-1, 2), endpoints(201, 2)]))
    assert set(idle.values()) == {FAIL}
    memory = [endpoints(-1, 2), resize(30, 3, "memory resource above target"), endpoints(40, 3), *down]
    assert verdicts(autoscaled(memory))["scaling.hpa.cpu"] is FAIL
    about = {claim: {each.verdict for each in autoscaled(memory) if claim in each.claims} for claim in LINKED}
    assert [about[claim] for claim in LINKED] == [{FAIL}, {FAIL}, {FAIL, PASS}, {FAIL, PASS}]


def test_a_load_that_needs_no_pods_says_nothing_of_an_autoscaler_that_adds_none() -> None:
    there = [endpoints(-1, 2), endpoints(201, 2)]
    two = [(-5 * NS, "hpa", 3.0), (60 * NS, "hpa", 2.0)]
    found, grown = autoscaled(there, asked=two), autoscaled([*there, resize(30, 3, "cpu"), endpoints(40, 3)])
    assert {each.verdict for each in found} == {INCONCLUSIVE}
    assert [each.claims for each in found] == [each.claims for each in grown], "the same claims have its word"
    assert found[0].reason == "the load asked for 2, not for 5"
    blinked = autoscaled([endpoints(-1, 2), endpoints(60, 1), endpoints(63, 2)], asked=two)
    assert {each.verdict for each in blinked} == {INCONCLUSIVE}, "one that is not ready for a moment is no scaling"


@pytest.mark.parametrize(
    ("more", "asked", "by_resource"),
    [
        ([], [(60 * NS, "hpa", 2.0), (75 * NS, "hpa", 3.0)], True),  # more was asked for
        ([], [(250 * NS, "hpa", 2.0)], True),  # nothing was, under the load
        ([], [(60 * NS, "hpa", 2.0)], False),  # by an HPA that does not go by the resource
        ([resize(120, 1, "All metrics below target"), endpoints(125, 1)], [(60 * NS, "hpa", 1.0)], True),
        ([endpoints(125, 0), endpoints(130, 2)], [(60 * NS, "hpa", 2.0)], True),
        ([endpoints(125, 1)], [(60 * NS, "hpa", 2.0)], True),
    ],
)
def test_what_the_autoscaler_or_the_target_did_wrong_under_such_a_load_fails(
    more: list[EventRow], asked: list[tuple[int, str, float]], by_resource: bool
) -> None:
    found = verdicts(autoscaled([endpoints(-1, 2), *more], asked=asked, by_resource=by_resource))
    assert FAIL in found.values() and found["scaling.hpa.cpu"] is FAIL


def test_a_number_set_by_hand_that_stays_shows_no_erratum() -> None:
    assert taken_back([resize(1, 4, "cpu")]).verdict is INCONCLUSIVE
    found = taken_back([resize(-5, 2, "before"), resize(320, 2, "All metrics below target")])
    assert (found.verdict, found.value, found.erratum) == (Verdict.ERRATUM_SHOWN, 320.0, "scaling.hpa_takes_back")


def effect(command: str, pods: int, after_s: float | None = 9.0, *, autoscaler: bool = False) -> Effect:
    return Effect(command=command, autoscaler=autoscaler, pods=pods, after_s=after_s)


def test_commands_that_fail_and_commands_not_run() -> None:
    names = ("get pods", "logs", "top pods", "get hpa", "get events", "apply hpa", "set image", "rollout undo",
             "status after undo", "apply folder", "get all", "get svc")  # fmt: skip
    ran = {name: Ran(command=name, status=0, output="said") for name in names}
    ran["get pods"] = Ran(command="get pods", status=0, output="a 2/2 Running 0")
    ran["get all"] = Ran(command="get all", status=0, output="\n".join(f"{kind.lower()}/a" for kind in PHASE_2))
    ran["rollout status"] = Ran(command="rollout status", status=-1, output="Waiting")
    effects = [effect("kubectl scale d --replicas=8", 8), effect("kubectl apply -f f (replicas: 2)", 2)]
    assert set(verdicts(commands(ran, effects)).values()) == {PASS}
    assert verdicts(commands(ran, [effect("kubectl scale d", 8, None)]))["scaling.manual.command"] is FAIL
    with_it = verdicts(commands(ran, [effect("kubectl scale d", 8, None, autoscaler=True), *effects]))
    slow = {
        claim: each.verdict for each in commands(ran, [effect("kubectl scale d", 8, None)]) for claim in each.claims
    }
    assert (slow["stack.one_command"], slow["operations.daily"]) == (FAIL, PASS)
    assert with_it["scaling.manual.command"] is PASS  # the autoscaler may take it back
    ran["rollout status"] = Ran(command="rollout status", status=0, output="successfully rolled out")
    ran["top pods"] = Ran(command="top pods", status=1, output="error: Metrics API not available")
    ran["get events"] = Ran(command="get events", status=0, output="")
    found = verdicts(commands(ran))
    assert [found[c] for c in ("monitoring.commands", "cicd.rollout_status")] == [FAIL] * 2
    assert set(verdicts(commands({})).values()) == {INCONCLUSIVE}


REFUSED = (
    'Error from server (BadRequest): error when creating "base/secret.yaml": Secret in version "v1" cannot be handled '
    "as a Secret: illegal base64 data at input byte 4"
)


#: The same where a Secret of the name is there already, as in a namespace that was rehearsed in.
PATCH_REFUSED = """Error from server (BadRequest): error when applying patch:
{"data":{"db_password":"BASE64_ENCODED_PASSWORD"},"metadata":{"annotations":{}}}
to:
Resource: "/v1, Resource=secrets", GroupVersionKind: "/v1, Kind=Secret"
Name: "app-secret", Namespace: "r"
for: "base/secret.yaml": error when patching "base/secret.yaml": Secret in version "v1" cannot be handled as a Secret: \\
illegal base64 data at input byte 6"""


#: The same where kubectl's own patch is refused before the Secret is read.
INVALID = (
    'The request is invalid: patch: Invalid value: "map[data:map[db_password:BASE64_ENCODED_PASSWORD]]": error '
    "decoding from json: illegal base64 data at input byte 6"
)


@pytest.mark.parametrize(
    ("status", "output", "verdict"),
    [
        (1, f"service/tekutoko-api created\n{REFUSED}", Verdict.ERRATUM_SHOWN),
        (1, f"serviceaccount/tekutoko-api-sa configured\n{INVALID}", Verdict.ERRATUM_SHOWN),
        (1, f'{INVALID}\nThe Deployment "tekutoko-api" is invalid: spec.replicas: Invalid value: -1', FAIL),
        (1, 'The Deployment "tekutoko-api" is invalid: spec.selector: field is immutable', FAIL),
        (1, f"{PATCH_REFUSED}\nservice/tekutoko-api configured", Verdict.ERRATUM_SHOWN),
        (1, f"{PATCH_REFUSED}\n{PATCH_REFUSED.replace('illegal base64 data', 'field is immutable')}", FAIL),
        (1, f"{REFUSED}\nError from server (Forbidden): deployments.apps is forbidden", FAIL),  # not the Secret alone
        (1, "error: the path base/ does not exist", FAIL),
        (1, "", FAIL),
        (0, "secret/app-secret created", PASS),  # it is as the document says
    ],
)
def test_the_printed_folder_is_refused_for_its_secret_alone(status: int, output: str, verdict: Verdict) -> None:
    ran = {"apply folder": Ran(command="kubectl apply -f base/", status=status, output=output)}
    found = next(each for each in commands(ran) if each.claim == "operations.first_deploy")
    assert found.verdict is verdict
    assert (found.erratum != "") is (verdict is Verdict.ERRATUM_SHOWN)
