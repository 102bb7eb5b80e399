"""The judge of the HPA on the p95, on a course that the rule itself makes: and what of it may not be as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import pytest

from harness.base import planfile
from harness.base.clock import NS
from harness.base.data import OVERLAYS
from harness.control.hpa.history import History
from harness.control.hpa.proposal import Readings
from harness.control.hpa.sync import Look, ScaleSubresource, sync
from harness.model.autoscaling import PodPhase, PodUsage, ScaledPod
from harness.model.evidence import EventRow, Outcome, RequestRow, Row, SampleRow
from harness.model.judgement import Judgement, Verdict
from harness.model.parts import PartRun
from harness.model.stack import Capability, EnvironmentKind
from harness.rehearsals.scaling.facts import external, readings, slowed
from harness.rehearsals.scaling.rehearsal import REHEARSAL
from harness.rehearsals.scaling.types import ScalingDetails, ScalingPlan, Slowed, controlled
from harness.rules.objectives.render import EXTERNAL_P95
from harness.run.result import judged as whole
from harness.stack.manifests import load as load_manifests
from tests.rehearsal.drawn import drawn
from tests.rehearsal.made import by_id, seen
from tests.scaling.made import of, ruled
from tests.scaling.test_judge import pod, resize
from tests.scaling.test_zones import request

MIB = 2**20
CONTROLLED = controlled(load_manifests(OVERLAYS / "kind-latency")) or pytest.fail("the manifests have no HPA")
(PART,) = (each for each in planfile.bundled("scaling", ScalingPlan).parts if each.name == "hpa_latency")
SLOW_S, SYNC_S, BEGUN_S, UNTIL_S = 240, 15, -90, 700
DID = Slowed(load_ns=0, end_ns=SLOW_S * NS, controlled=CONTROLLED)
CLAIM, TO_NO_EFFECT = "manifest.hpa.external", "manifest.hpa.latency_of_the_database"
DOWN, LOW = "scaling.time.hpa_down", "scaling.hpa.down_to_2"
Rows = list[EventRow]


def window(slow: float) -> Callable[[float, int], float]:
    """The p95 by the second and the ready pods: of a minute's window it is slow until that is over."""
    return lambda at_s, _ready: slow if 5 <= at_s < SLOW_S + 57 else 0.04


class Course:
    """Two pods at first; each further one is ready ``ready_s`` after it was made, and uses next to nothing."""

    def __init__(self, p95: Callable[[float, int], float | None], *, ready_s: float = 12, cores: float = 0.01) -> None:
        self.rows: Rows = []
        self.samples: list[SampleRow] = []
        self._ready_at = {"p0": BEGUN_S - 400.0, "p1": BEGUN_S - 400.0}
        self._ready_s, self._cores, self._made = ready_s, cores, 2
        self._listed: tuple[str, ...] = ()
        history = History()
        self.rows += [row for name in self._ready_at for row in _pod(name, BEGUN_S - 412, BEGUN_S - 400)]
        for at_s in range(BEGUN_S, UNTIL_S):
            self._serve(at_s)
            if (at_s - BEGUN_S) % SYNC_S == 0:
                history = self._sync(at_s, p95(at_s, len(self._listed)), history)
        self.rows.sort(key=lambda row: row.at_ns)

    def _serve(self, at_s: float) -> None:
        """The endpoints, when they are others."""
        ready = tuple(name for name, ready_at in self._ready_at.items() if ready_at <= at_s)
        if ready != self._listed:
            self._listed = ready
            self.rows.append(_row(at_s, "component", "service", pods=list(ready)))

    def _sync(self, at_s: float, p95: float | None, history: History) -> History:
        usage = [
            PodUsage(name=name, at_ns=round((at_s - 10) * NS), window_ns=15 * NS,
                     containers_m={"": {"cpu": round(self._cores * 1000), "memory": 90 * MIB * 1000}})
            for name, ready_at in self._ready_at.items() if at_s - 30 >= ready_at
        ]  # fmt: skip
        self.samples += [row for each in usage for row in _usage(at_s - 10, each.name, self._cores)]
        value = None if p95 is None else round(p95 * 1000)
        found = sync(
            Look(
                hpa=CONTROLLED.hpa,
                scale=ScaleSubresource(len(self._ready_at), len(self._ready_at)),
                pods=[self._scaled(name, at_s) for name in self._ready_at],
                readings=Readings(pods=usage, custom={} if value is None else {EXTERNAL_P95: [value]}),
                now_ns=round(at_s * NS),
            ),
            history,
        )
        metrics = [{"name": "cpu", "utilization": round(self._cores * 1e5 / 600), "average_m": 10}]
        metrics += [] if value is None else [{"name": EXTERNAL_P95, "value_m": value}]
        self.rows.append(_row(at_s + 0.1, "component", "hpa/tekutoko-api-hpa", metrics=metrics))
        if found.rescale:
            self.rows.append(resize(at_s + 0.05, found.replicas, found.reason.replace("p95 ", "p95(nil) ")))
            self._scale(at_s, found.replicas)
        return found.history

    def _scaled(self, name: str, at_s: float) -> ScaledPod:
        ready_at = self._ready_at[name]
        changed_ns = round(ready_at * NS) if ready_at <= at_s else None
        return ScaledPod(
            name=name, containers=CONTROLLED.containers, phase=PodPhase.RUNNING, ready=ready_at <= at_s,
            started_ns=round((ready_at - self._ready_s) * NS), ready_changed_ns=changed_ns,
        )  # fmt: skip

    def _scale(self, at_s: float, size: int) -> None:
        for name in list(self._ready_at)[size:]:
            del self._ready_at[name]
            self.rows.append(pod(at_s + 1, name, "Gone"))
        while len(self._ready_at) < size:
            name, self._made = f"p{self._made}", self._made + 1
            self._ready_at[name] = at_s + self._ready_s
            self.rows += _pod(name, at_s + 1, at_s + self._ready_s)


def _row(at_s: float, kind: str, subject: str, **data: object) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind=kind, subject=subject, message="", data=data)


def _pod(name: str, made_s: float, ready_s: float) -> Rows:
    return [pod(made_s, name, "Running"), pod(ready_s, name, "Ready")]


def _usage(at_s: float, name: str, cores: float) -> list[SampleRow]:
    figures = {"cpu_cores": cores, "memory_bytes": 90.0 * MIB, "window_s": 15.0}
    return [
        SampleRow(at_ns=round(at_s * NS), metric=each, subject=f"pod/{name}", value=value)
        for each, value in figures.items()
    ]


GOOD = Course(window(0.9))


def judged(
    course: Course = GOOD, rows: Rows | None = None, did: Slowed = DID, requests: Sequence[RequestRow] = ()
) -> dict[str, Judgement]:
    facts = slowed(of(PART), PART, did, course.rows if rows is None else rows, requests)
    return {each.claim: each for each in ruled(PART, PART.claims, facts)}


def told(found: Judgement) -> tuple[Verdict, str]:
    return found.verdict, found.reason


def test_the_metric_alone_raises_and_lets_go_and_cures_nothing() -> None:
    found = judged()
    verdict, why = told(found[CLAIM])
    assert verdict is Verdict.PASS, why
    assert "p95 up to 0.90 s" in why and "CPU at most 2 %" in why
    assert found[CLAIM].limit == 180 and 0 < (found[CLAIM].value or 0) < 60
    assert (found[TO_NO_EFFECT].verdict, found[TO_NO_EFFECT].erratum) == (Verdict.ERRATUM_SHOWN, TO_NO_EFFECT)
    assert "up to 10 pods in place of 2 the p95 is never below 900 ms" in found[TO_NO_EFFECT].reason
    assert found[DOWN].verdict is Verdict.PASS and "after its cause had ended" in found[DOWN].reason
    assert found[LOW].verdict is Verdict.PASS and "10 -> 2" in found[LOW].reason
    assert {*found} == {*PART.claims}


def replaced(rows: Iterable[EventRow], old: str, new: str) -> Rows:
    return [msgspec.structs.replace(row, message=row.message.replace(old, new)) for row in rows]


def test_another_reason_fails() -> None:
    rows = replaced(GOOD.rows, f"external metric {EXTERNAL_P95}(nil)", "cpu resource utilization")
    assert rows != GOOD.rows
    verdict, reason = told(judged(rows=rows)[CLAIM])
    assert verdict is Verdict.FAIL and "times it added pods not by custom.googleapis.com" in reason


def test_an_autoscaler_that_does_not_act_fails() -> None:
    """Within the tolerance it does not; its status tells what it read."""
    verdict, why = told(judged(Course(window(0.54)))[CLAIM])
    assert verdict is Verdict.FAIL and "added no pod" in why and "p95 up to 0.54 s" in why


def test_answers_that_were_never_slow_give_no_cause_to_act() -> None:
    """A target for which a slow database is none. Where its users wait and its metric does not say so, it is its own."""

    def answer(at_s: float, took_s: float) -> RequestRow:
        row = request(at_s, Outcome.OK)
        return msgspec.structs.replace(row, done_ns=row.sent_ns + round(took_s * NS))

    course, quick = Course(window(0.06)), answer(20, 0.06)
    found = judged(course, requests=[quick, answer(-5, 0.9)])
    assert set(found) == set(PART.claims) and {each.verdict for each in found.values()} == {Verdict.INCONCLUSIVE}
    assert "the metric was at most 0.06 s, within its target" in found[CLAIM].reason
    above, one_slow = Course(window(0.501)), [*(answer(20 + number, 0.06) for number in range(40)), answer(70, 0.9)]
    for requests in ([], one_slow):
        assert judged(course, requests=requests)[CLAIM].verdict is Verdict.INCONCLUSIVE
    for made, requests in ((course, [quick, answer(30, 0.9)]), (above, [quick])):
        assert judged(made, requests=requests)[CLAIM].verdict is Verdict.FAIL


def test_pods_that_come_too_late_fail() -> None:
    verdict, why = told(judged(Course(window(0.9), ready_s=200))[CLAIM])
    assert verdict is Verdict.FAIL and "first further pod that is ready: 2" in why and "at most 180 s" in why


@pytest.mark.parametrize("p95", [lambda _at_s, _ready: None, lambda at_s, _ready: None if at_s < 0 else 0.9])
def test_a_metric_that_was_not_read_before_says_nothing(p95: Callable[[float, int], float | None]) -> None:
    assert told(judged(Course(p95))[CLAIM])[0] is Verdict.INCONCLUSIVE


def test_answers_that_were_slow_before_say_nothing() -> None:
    verdict, why = told(judged(Course(lambda at_s, _ready: 0.52 if at_s < 0 else 0.9))[CLAIM])
    assert (
        verdict is Verdict.INCONCLUSIVE
        and "the p95 was 520 ms before the answers were slow; at most 500 ms is wanted" in why
    )


def test_pods_that_cure_it_contradict_the_erratum() -> None:
    """As where the pods themselves are what is slow."""
    found = judged(Course(lambda at_s, ready: 1.6 / max(ready, 1) if 5 <= at_s < SLOW_S + 57 else 0.04))
    assert found[CLAIM].verdict is Verdict.PASS, found[CLAIM].reason
    assert found[TO_NO_EFFECT].verdict is Verdict.FAIL


def test_too_short_to_see_what_the_pods_change() -> None:
    short = msgspec.structs.replace(DID, end_ns=60 * NS)
    assert judged(did=short)[TO_NO_EFFECT].verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("fallen_s", "back_s", "verdict"),
    [
        (60, 300, Verdict.INCONCLUSIVE),  # none but one is left of ten, to the end of the slow answers and beyond
        (60, 151, Verdict.INCONCLUSIVE),  # back too late to see what they change
        (60, 130, Verdict.ERRATUM_SHOWN),
        (241, 300, Verdict.ERRATUM_SHOWN),
    ],
)
def test_pods_that_were_there_for_a_moment_show_nothing_of_what_pods_change(
    fallen_s: int, back_s: int, verdict: Verdict
) -> None:
    """As where a liveness probe that asks the database kills them while it is slow."""
    ten = [f"p{number}" for number in range(10)]
    fallen = [_row(fallen_s, "component", "service", pods=["p0"]), _row(back_s, "component", "service", pods=ten)]
    found = judged(rows=sorted([*GOOD.rows, *fallen], key=lambda row: row.at_ns))[TO_NO_EFFECT]
    assert found.verdict is verdict, found.reason


def test_what_was_read_before_the_pods_were_there_says_nothing_of_them() -> None:
    """It stands in the status for as long as nothing is read."""
    blind = Course(lambda at_s, ready: None if at_s > 20 else window(0.9)(at_s, ready))
    stood = [row for row in GOOD.rows if not (row.subject.startswith("hpa/") and 20 * NS < row.at_ns < SLOW_S * NS)]
    for rows in ([*blind.rows, *(row for row in GOOD.rows if row.subject == "service")], stood):
        verdict, why = told(judged(rows=sorted(rows, key=lambda row: row.at_ns))[TO_NO_EFFECT])
        assert verdict is Verdict.INCONCLUSIVE and "not read once there were 4 pods" in why


def test_pods_that_stay_fail() -> None:
    stays = [row for row in GOOD.rows if row.at_ns < 400 * NS]
    found = judged(rows=stays)
    assert (found[DOWN].verdict, found[LOW].verdict) == (Verdict.FAIL, Verdict.FAIL)


def test_within_the_stabilisation_nothing_may_go() -> None:
    """A fall 200 s after the metric last asked for all of them is too early."""
    early = [
        *(row for row in GOOD.rows if row.at_ns < 480 * NS),
        resize(481, 2, "All metrics below target"),
        _row(483, "component", "service", pods=["p0", "p1"]),
    ]
    assert judged(rows=early)[DOWN].verdict is Verdict.FAIL


def test_without_an_external_metric_nothing_is_exercised() -> None:
    plain = controlled(load_manifests(OVERLAYS / "kind"))
    assert plain is not None and external(plain.hpa) is None and external(None) is None
    for without in (Slowed(load_ns=0, end_ns=0), msgspec.structs.replace(DID, controlled=plain)):
        assert {each.verdict for each in judged(did=without).values()} == {Verdict.NOT_EXERCISED}


def test_the_status_tells_what_was_read() -> None:
    first = readings(GOOD.rows, EXTERNAL_P95)[0]
    assert (first.at_ns, first.value_m) == (round((BEGUN_S + 0.1) * NS), 40)
    assert readings(GOOD.rows, "another") == []


def asked(at_s: float) -> RequestRow:
    return msgspec.structs.replace(
        request(at_s, Outcome.OK), done_ns=round((at_s + (0.8 if at_s < SLOW_S else 0.02)) * NS)
    )


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_whole_part_is_judged_and_drawn_with_its_p95(tmp_path: Path, lang: str) -> None:
    plan = ScalingPlan(name="scaling", title="Scaling", parts=(PART,))
    details = ScalingDetails(
        cpu_factor=0.3,
        runs={PART.name: PartRun(start_ns=(BEGUN_S - 420) * NS, end_ns=UNTIL_S * NS)},
        did={PART.name: DID},
    )
    assert msgspec.json.decode(msgspec.json.encode(details), type=ScalingDetails) == details
    rows: list[Row] = [*GOOD.rows, *GOOD.samples, *map(asked, range(0, UNTIL_S - 20, 2))]
    left = seen(details, rows, rung=EnvironmentKind.KIND, capabilities=PART.needs)
    found = {each.claim: each.verdict for each in whole(REHEARSAL, plan, left) if each.part == PART.name}
    expected = dict.fromkeys(PART.claims, Verdict.PASS) | {TO_NO_EFFECT: Verdict.ERRATUM_SHOWN}
    assert found == expected
    page = drawn(REHEARSAL, plan, left, tmp_path, lang)
    assert EXTERNAL_P95 in page and "500 ms" in page


@pytest.mark.parametrize(("slow", "verdict"), [(True, Verdict.FAIL), (False, Verdict.INCONCLUSIVE)])
def test_a_metric_that_hides_what_users_wait_for_fails(slow: bool, verdict: Verdict) -> None:
    """Judged as a run is, with its users' own answers."""
    course, runs = Course(window(0.06)), {PART.name: PartRun(start_ns=(BEGUN_S - 420) * NS, end_ns=UNTIL_S * NS)}
    answers = [asked(at_s) for at_s in range(0, UNTIL_S - 20, 2) if slow or at_s >= SLOW_S]
    details, plan = (
        ScalingDetails(runs=runs, did={PART.name: DID}),
        ScalingPlan(name="scaling", title="", parts=(PART,)),
    )
    left = seen(details, [*course.rows, *course.samples, *answers], rung=EnvironmentKind.KIND, capabilities=PART.needs)
    found = by_id(whole(REHEARSAL, plan, left))[CLAIM]
    assert found.verdict is verdict and "at most 0.06 s" in found.reason.replace("up to", "at most")


def test_elsewhere_the_part_is_not_exercised() -> None:
    plan = ScalingPlan(name="scaling", title="Scaling", parts=(PART,))
    left = seen(
        ScalingDetails(),
        [],
        rung=EnvironmentKind.LOCAL,
        capabilities=(Capability.AUTOSCALING, Capability.DOCUMENT_TEMPO),
    )
    found = whole(REHEARSAL, plan, left)
    assert {each.verdict for each in found if each.part == PART.name} == {Verdict.NOT_EXERCISED}
    assert "the environment lacks external metrics for the HPA" in {each.reason for each in found}


def test_a_pod_that_was_there_before_is_no_further_one() -> None:
    """By manifests of somebody's own that begin with three, of which one is not ready for a moment."""
    began = [row for row in GOOD.rows if row.subject == "service"]
    more = [msgspec.structs.replace(row, data={"pods": [*row.data["pods"], "own"]}) for row in began]
    moment = [
        _row(12, "component", "service", pods=["p0", "p1"]),
        _row(13, "component", "service", pods=["p0", "p1", "own"]),
    ]
    others = [row for row in GOOD.rows if row.subject != "service"]
    found = judged(rows=sorted([*others, *more, *moment], key=lambda row: row.at_ns))
    assert found[CLAIM].value == judged()[CLAIM].value and (found[CLAIM].value or 0) > 13
    assert "up to 11 pods in place of 3 the p95 is never below 900 ms" in found[TO_NO_EFFECT].reason
    never = [row for row in [*others, *began[:1], *more[:1], *moment] if "New size" not in row.message]
    assert judged(rows=sorted(never, key=lambda row: row.at_ns))[CLAIM].verdict is Verdict.FAIL
