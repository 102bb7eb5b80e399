"""The size of a pod and the HPA's targets, against knees made by hand.

The document's pod asks for 600m and 640Mi with its sidecar; at a factor of 0.1 for 60m, two of them for 0.12 cores.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.model.autoscaling import MetricKind, MetricSpec
from harness.model.judgement import Expected, Judgement, Verdict
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.scenario import Arrivals
from harness.rehearsals.load_stages.facts import PHRASES, Knee, growth, sizes
from harness.rehearsals.load_stages.types import StepResult, sized
from harness.rules.engine import judged
from harness.rules.rule import FactsOf
from tests.stages.made import MANIFESTS, PLAN, RULES, tried

PASS, FAIL, OPEN, NONE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_EXERCISED
SIZING, FUTURE = "checklist.performance.sizing", "decision.future"
MIB = 2**20


def knee(rate: float | None, pods: int = 2, broken: float | None = None, void: str = "") -> Knee:
    why = (message("why"),) if void else ()
    return Knee(pods=pods, rate_per_s=rate, broken_per_s=broken, told=(message("the knee"),), void=why)


def kept(rate: float, cores: float | None, mib: float | None, pods: int = 2, **changed: Any) -> StepResult:
    """A step of the search that passed, with what its pods used together."""
    memory = None if mib is None else mib * MIB
    return tried(rate, pods=pods, pods_cpu_cores=cores, pods_memory_bytes=memory, **changed)


def told(
    steps: list[StepResult], *knees: Knee, manifests: Manifests = MANIFESTS, wanted: int | None = None
) -> Judgement:
    known = sizes(
        FactsOf(PHRASES), steps, knees, sized(manifests, 0.1), wanted=len(knees) if wanted is None else wanted
    )
    [found] = judged([Expected("", SIZING, SIZING)], RULES, known, PLAN, ())
    return found


def with_metrics(*metrics: MetricSpec) -> Manifests:
    assert MANIFESTS.hpa is not None
    return msgspec.structs.replace(MANIFESTS, hpa=msgspec.structs.replace(MANIFESTS.hpa, metrics=metrics))


@pytest.mark.parametrize(
    ("cores", "mib", "verdict", "words"),
    [
        (0.1, 200, PASS, "cpu passes its target first, at 25.0/s"),
        (0.0936, 200, PASS, "cpu passes its target first"),  # 78 %: above 70 % x 1.1
        (0.0924, 200, FAIL, "would not have acted yet"),  # 77 %: Kubernetes tolerates it
        (0.05, 1140, PASS, "memory passes its target first"),  # 570 MiB a pod: 89 % of 640Mi, above 80 % x 1.1
        (0.05, 200, FAIL, "would not have acted yet"),
        (None, 200, OPEN, "not all of the HPA's metrics were read"),
        (None, None, OPEN, "what the pods used was not read"),
    ],
)
def test_a_size_is_founded_when_the_autoscaler_acts_before_users_notice(
    cores: float | None, mib: float | None, verdict: Verdict, words: str
) -> None:
    found = told([kept(25, cores, mib)], knee(25))
    assert found.verdict is verdict
    assert words in found.reason and "2 pods: 12.5/s a pod" in found.reason


USING = "2 pods: 12.5/s a pod, using of its requests (the HPA's target): "


@pytest.mark.parametrize(
    ("cores", "mib", "words"),
    [
        (
            0.1, 200,
            f"{USING}cpu 83 % (70 %), memory 15 % (80 %); the HPA acts before the limit: cpu passes its target first, at "
            "25.0/s",
        ),
        (0.05, 200, f"{USING}cpu 41 % (70 %), memory 15 % (80 %); the HPA would not have acted yet"),
        (None, None, "2 pods: 12.5/s a pod; what the pods used was not read"),
        (None, 200, f"{USING}memory 15 % (80 %); not all of the HPA's metrics were read"),
    ],
)  # fmt: skip
def test_a_reason_has_the_size_both_metrics_against_their_targets_and_what_the_autoscaler_does(
    cores: float | None, mib: float | None, words: str
) -> None:
    assert words in told([kept(25, cores, mib)], knee(25)).reason


def test_of_two_metrics_that_pass_at_one_rate_the_one_further_above_its_target_is_named() -> None:
    """Of two pods 90 % of their CPU is 1.3 times its target, all of their memory 1.25 times; then 1.5 times."""
    assert "cpu passes its target first, at 25.0/s" in told([kept(25, 0.1092, 1280)], knee(25)).reason
    assert "memory passes its target first, at 25.0/s" in told([kept(25, 0.1092, 1536)], knee(25)).reason


def test_only_what_the_search_of_these_pods_kept_up_to_the_knee_counts() -> None:
    """All but the first pass the CPU's target, and none but the first is the search's step at the knee."""
    busy = kept(25, 0.1, 200)
    photos = msgspec.structs.replace(busy.step, photos_per_s=2.0)
    stage = msgspec.structs.replace(busy.step, arrivals=Arrivals.EVEN)
    steps = [
        kept(25, 0.05, 200),
        msgspec.structs.replace(busy, step=photos),
        msgspec.structs.replace(busy, step=stage),
        msgspec.structs.replace(busy, verdict=FAIL),
        kept(25, 0.2, 200, pods=4),
        kept(30, 0.1, 200),
    ]
    found = told(steps, knee(25))
    assert found.verdict is FAIL and "cpu 41 % (70 %)" in found.reason


def test_the_metric_that_passes_first_is_that_of_the_lowest_rate() -> None:
    steps = [kept(40, 0.3, 1200), kept(20, 0.05, 1150), kept(30, 0.1, 1150)]
    assert "memory passes its target first, at 20.0/s" in told(steps, knee(40)).reason
    # What was passed once, at the begin, and no more at the knee, is no reason to act there.
    assert told([kept(20, 0.2, 200), kept(40, 0.05, 200)], knee(40)).verdict is FAIL


def test_one_size_of_which_the_autoscaler_sees_nothing_fails_them_all() -> None:
    steps = [kept(25, 0.1, 200), kept(60, 0.1, 400, pods=4)]  # 41 % of what four ask for
    found = told(steps, knee(25), knee(60, pods=4))
    assert found.verdict is FAIL
    assert "cpu passes its target first" in found.reason and "would not have acted yet" in found.reason


def test_at_its_most_pods_the_autoscaler_is_not_asked() -> None:
    steps = [kept(25, 0.1, 200), kept(90, 0.1, 900, pods=10)]
    found = told(steps, knee(25), knee(90, pods=10))
    assert found.verdict is PASS
    alone = told(steps, knee(90, pods=10))
    assert (alone.verdict, alone.holds) == (NONE, False)
    assert alone.reason.endswith("cpu 16 % (70 %), memory 14 % (80 %); the HPA has no more pods to add")
    assert told(steps, knee(90, pods=10), wanted=2).verdict is OPEN


def test_no_sizing_without_every_knee() -> None:
    step = kept(25, 0.1, 200)
    found = told([step], knee(25), knee(40, pods=4, void="why"))
    assert found.verdict is OPEN and "4 pods: why; the knee" in found.reason
    nothing_kept = told([step], knee(None))
    assert nothing_kept.verdict is OPEN and "2 pods: the knee" in nothing_kept.reason
    assert told([step], knee(25), wanted=2).verdict is OPEN
    none = told([step])
    assert (none.verdict, none.reason, none.claim) == (NONE, "no knee was searched", SIZING)


def test_a_size_of_which_one_knee_fails_and_another_is_open_fails() -> None:
    steps = [kept(25, 0.05, 200), kept(60, 0.3, 400, pods=4)]
    open_ = knee(80, pods=6, void="why")
    assert told(steps, knee(60, pods=4), open_, knee(25)).verdict is FAIL
    assert told(steps, knee(60, pods=4), open_).verdict is OPEN


def test_the_targets_are_those_of_the_manifests() -> None:
    cpu = MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_utilization=30)
    step, found_at = kept(25, 0.05, 200), knee(25)  # 41 % of the request
    assert told([step], found_at).verdict is FAIL
    assert told([step], found_at, manifests=with_metrics(cpu)).verdict is PASS
    rate = MetricSpec(kind=MetricKind.EXTERNAL, name="requests", average_value_m=10_000)
    high = msgspec.structs.replace(cpu, average_utilization=70)
    assert told([step], found_at, manifests=with_metrics(high, rate)).verdict is OPEN
    without = msgspec.structs.replace(MANIFESTS, hpa=None)
    bare = told([step], found_at, manifests=without)
    assert (bare.verdict, bare.reason) == (NONE, "2 pods: 12.5/s a pod; the manifests have no autoscaler")


def test_a_container_that_asks_for_nothing_leaves_no_share_to_compare() -> None:
    deployment = MANIFESTS.deployment
    first, *others = deployment.template.containers
    silent = (msgspec.structs.replace(first, request_cpu_m=None), *others)
    template = msgspec.structs.replace(deployment.template, containers=silent)
    manifests = msgspec.structs.replace(MANIFESTS, deployment=msgspec.structs.replace(deployment, template=template))
    found = told([kept(25, 0.1, 200)], knee(25), manifests=manifests)
    assert found.verdict is OPEN and "cpu" not in found.reason


@pytest.mark.parametrize(
    ("rates", "wanted", "verdict", "factor", "reason"),
    [
        ([(2, 50, 60), (4, 90, 100), (10, 200, 220)], 3, PASS, 4.0, "10 pods carry 200.0/s"),
        ([(10, 200, 220), (2, 50, 60)], 2, PASS, 4.0, "10 pods carry 200.0/s"),
        ([(2, 50, 60), (10, 60, 66)], 2, PASS, 1.2, "10 pods carry 60.0/s"),
        ([(2, 50, 60), (10, 55, 60)], 2, FAIL, 1.1, "10 pods carry 55.0/s; at least 60/s is wanted"),
        ([(2, 50, 60), (10, 40, 45)], 2, FAIL, 0.8, "10 pods carry 40.0/s; at least 60/s is wanted"),
        ([(2, 50, 60)], 1, NONE, None, "1 of 1 knees were searched; all of them are needed, and two at least"),
        (
            [(2, 50, 60), (4, 90, 100)],
            3,
            OPEN,
            None,
            "2 of 3 knees were searched; all of them are needed, and two at least",
        ),
        ([(2, 50, 60), (10, None, None)], 2, OPEN, None, "10 pods: why; the knee"),
        ([(2, None, None), (10, 200, 220)], 2, OPEN, None, "2 pods: why; the knee"),
    ],
)
def test_the_base_grows_where_the_most_pods_carry_what_the_fewest_did_not(
    rates: list[tuple[int, float | None, float | None]],
    wanted: int,
    verdict: Verdict,
    factor: float | None,
    reason: str,
) -> None:
    knees = [knee(rate, pods, broken, void="" if rate else "why") for pods, rate, broken in rates]
    known = growth(FactsOf(PHRASES, case=FUTURE), knees, wanted=wanted)
    [found] = judged([Expected("", FUTURE, FUTURE)], RULES, known, PLAN, ())
    assert (found.verdict, found.value, found.reason) == (verdict, factor, reason)
