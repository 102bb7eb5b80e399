"""The size of a pod and the HPA's targets, against knees made by hand.

The document's pod asks for 600m and 640Mi with its sidecar; at a factor of 0.1 for 60m, two of them for 0.12 cores.
"""

from __future__ import annotations

import msgspec
import pytest

from harness.model.autoscaling import MetricKind, MetricSpec
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import english, message
from harness.model.step import Arrivals, Step
from harness.model.verdict import Verdict
from harness.rehearsals.load_stages.judge_sizing import grows, sizing
from harness.rehearsals.load_stages.types import Knee, StepResult, sized
from tests.stages.made import FIGURES, MANIFESTS

MIB = 2**20


def knee(rate: float | None, verdict: Verdict = Verdict.PASS, pods: int = 2) -> Knee:
    return Knee(pods=pods, rate_per_s=rate, broken_per_s=None, verdict=verdict, told=(message("why"),))


def kept(rate: float, cores: float | None, mib: float | None, pods: int = 2) -> StepResult:
    """A step of the search that passed, with what its pods used together."""
    memory = None if mib is None else mib * MIB
    figures = msgspec.structs.replace(FIGURES, pods_cpu_cores=cores, pods_memory_bytes=memory)
    step = Step(name=f"knee_{pods}_{rate}", arrivals=Arrivals.POISSON, rate_per_s=rate, users=1000, seconds=8)
    return StepResult(step=step, pods=pods, figures=figures, verdict=Verdict.PASS, told=(), start_ns=0)


def told(steps: list[StepResult], *knees: Knee, manifests: Manifests = MANIFESTS) -> Judgement:
    return sizing(steps, knees, sized(manifests, 0.1))


def with_metrics(*metrics: MetricSpec) -> Manifests:
    assert MANIFESTS.hpa is not None
    return msgspec.structs.replace(MANIFESTS, hpa=msgspec.structs.replace(MANIFESTS.hpa, metrics=metrics))


@pytest.mark.parametrize(
    ("cores", "mib", "verdict", "words"),
    [
        (0.1, 200, Verdict.PASS, "cpu passes its target first, at 25.0/s"),
        (0.0936, 200, Verdict.PASS, "cpu passes its target first"),  # 78 %: above 70 % x 1.1
        (0.0924, 200, Verdict.FAIL, "would not have acted yet"),  # 77 %: Kubernetes tolerates it
        (0.05, 1140, Verdict.PASS, "memory passes its target first"),  # 570 MiB a pod: 89 % of 640Mi, above 80 % x 1.1
        (0.05, 200, Verdict.FAIL, "would not have acted yet"),
        (None, 200, Verdict.INCONCLUSIVE, "not all of the HPA's metrics were read"),
        (None, None, Verdict.INCONCLUSIVE, "what the pods used was not read"),
    ],
)
def test_a_size_is_founded_when_the_autoscaler_acts_before_users_notice(
    cores: float | None, mib: float | None, verdict: Verdict, words: str
) -> None:
    found = told([kept(25, cores, mib)], knee(25))
    assert (found.verdict, english(found.shown)) == (verdict, "2 pods 25.0/s")
    assert words in found.reason and "2 pods: 12.5/s a pod" in found.reason


USING = "using of its requests (the HPA's target): "
READ = f"2 pods: 12.5/s a pod, {USING}cpu 83 % (70 %), memory 15 % (80 %)"


def test_a_reason_has_the_size_both_metrics_against_their_targets_and_what_the_autoscaler_does() -> None:
    acts = told([kept(25, 0.1, 200)], knee(25))
    assert acts.reason == f"{READ}; the HPA acts before the limit: cpu passes its target first, at 25.0/s"
    rests = told([kept(25, 0.05, 200)], knee(25))
    assert rests.reason == (
        f"2 pods: 12.5/s a pod, {USING}cpu 41 % (70 %), memory 15 % (80 %); the HPA would not have acted yet"
    )
    assert [each.key for each in (acts, rests)] == [("", "checklist.performance.sizing")] * 2


def test_a_reason_says_what_was_not_read() -> None:
    assert told([kept(25, None, None)], knee(25)).reason == "2 pods: 12.5/s a pod; what the pods used was not read"
    assert told([kept(25, None, 200)], knee(25)).reason == (
        f"2 pods: 12.5/s a pod, {USING}memory 15 % (80 %); not all of the HPA's metrics were read"
    )


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
        msgspec.structs.replace(busy, verdict=Verdict.FAIL),
        kept(25, 0.2, 200, pods=4),
        kept(30, 0.1, 200),
    ]
    found = told(steps, knee(25))
    assert found.verdict is Verdict.FAIL and "cpu 41 % (70 %)" in found.reason


def test_the_metric_that_passes_first_is_that_of_the_lowest_rate() -> None:
    steps = [kept(40, 0.3, 1200), kept(20, 0.05, 1150), kept(30, 0.1, 1150)]
    assert "memory passes its target first, at 20.0/s" in told(steps, knee(40)).reason
    # What was passed once, at the begin, and no more at the knee, is no reason to act there.
    assert told([kept(20, 0.2, 200), kept(40, 0.05, 200)], knee(40)).verdict is Verdict.FAIL


def test_one_size_of_which_the_autoscaler_sees_nothing_fails_them_all() -> None:
    steps = [kept(25, 0.1, 200), kept(60, 0.1, 400, pods=4)]  # 41 % of what four ask for
    found = told(steps, knee(25), knee(60, pods=4))
    assert found.verdict is Verdict.FAIL
    assert "cpu passes its target first" in found.reason and "would not have acted yet" in found.reason


def test_at_its_most_pods_the_autoscaler_is_not_asked() -> None:
    steps = [kept(25, 0.1, 200), kept(90, 0.1, 900, pods=10)]
    found = told(steps, knee(25), knee(90, pods=10))
    assert found.verdict is Verdict.PASS
    alone = told(steps, knee(90, pods=10))
    assert (alone.verdict, alone.reason) == (
        Verdict.NOT_EXERCISED,
        f"10 pods: 9.0/s a pod, {USING}cpu 16 % (70 %), memory 14 % (80 %); the HPA has no more pods to add",
    )
    assert english(found.told[1:]) == alone.reason


def test_no_sizing_without_every_knee() -> None:
    step = kept(25, 0.1, 200)
    found = told([step], knee(25), knee(40, Verdict.INCONCLUSIVE, pods=4))
    assert (found.verdict, english(found.told[1:])) == (Verdict.INCONCLUSIVE, "4 pods: why")
    assert english(found.shown) == "2 pods 25.0/s; 4 pods 40.0/s"
    nothing_kept = told([step], knee(None, Verdict.FAIL))
    assert (nothing_kept.verdict, nothing_kept.reason) == (Verdict.INCONCLUSIVE, "2 pods: why")
    assert english(nothing_kept.shown) == "2 pods: none"


def test_a_size_of_which_one_knee_fails_and_another_is_open_fails() -> None:
    steps = [kept(25, 0.05, 200), kept(60, 0.3, 400, pods=4)]
    found = told(steps, knee(60, pods=4), knee(80, Verdict.INCONCLUSIVE, pods=6), knee(25))
    assert found.verdict is Verdict.FAIL
    assert told(steps, knee(60, pods=4), knee(80, Verdict.INCONCLUSIVE, pods=6)).verdict is Verdict.INCONCLUSIVE


def test_no_sizing_without_any_knee() -> None:
    found = told([kept(25, 0.1, 200)])
    assert (found.key, found.claim) == (("", "checklist.performance.sizing"), "checklist.performance.sizing")
    assert (found.verdict, found.reason) == (Verdict.NOT_EXERCISED, "no knee was searched")


def test_the_targets_are_those_of_the_manifests() -> None:
    cpu = MetricSpec(kind=MetricKind.RESOURCE, name="cpu", average_utilization=30)
    step, found_at = kept(25, 0.05, 200), knee(25)  # 41 % of the request
    assert told([step], found_at).verdict is Verdict.FAIL
    assert told([step], found_at, manifests=with_metrics(cpu)).verdict is Verdict.PASS
    rate = MetricSpec(kind=MetricKind.EXTERNAL, name="requests", average_value_m=10_000)
    high = msgspec.structs.replace(cpu, average_utilization=70)
    assert told([step], found_at, manifests=with_metrics(high, rate)).verdict is Verdict.INCONCLUSIVE
    without = msgspec.structs.replace(MANIFESTS, hpa=None)
    bare = told([step], found_at, manifests=without)
    assert (bare.verdict, bare.reason) == (
        Verdict.NOT_EXERCISED, "2 pods: 12.5/s a pod; the manifests have no autoscaler",
    )  # fmt: skip


def test_a_container_that_asks_for_nothing_leaves_no_share_to_compare() -> None:
    deployment = MANIFESTS.deployment
    first, *others = deployment.template.containers
    silent = (msgspec.structs.replace(first, request_cpu_m=None), *others)
    template = msgspec.structs.replace(deployment.template, containers=silent)
    manifests = msgspec.structs.replace(MANIFESTS, deployment=msgspec.structs.replace(deployment, template=template))
    found = told([kept(25, 0.1, 200)], knee(25), manifests=manifests)
    assert found.verdict is Verdict.INCONCLUSIVE and "cpu" not in found.reason


@pytest.mark.parametrize(
    ("rates", "verdict", "factor", "reason"),
    [
        ([(2, 50, 60), (4, 90, 100), (10, 200, 220)], Verdict.PASS, 4.0, "10 pods carry 4.0 times what 2 pods do"),
        ([(10, 200, 220), (2, 50, 60)], Verdict.PASS, 4.0, "10 pods carry 4.0 times what 2 pods do"),
        ([(2, 50, 60), (10, 60, 66)], Verdict.PASS, 1.2, "10 pods carry 1.2 times what 2 pods do"),
        ([(2, 50, 60), (10, 55, 60)], Verdict.FAIL, 1.1, "10 pods carry 1.1 times what 2 pods do"),
        ([(2, 50, 60), (10, 40, 45)], Verdict.FAIL, 0.8, "10 pods carry 0.8 times what 2 pods do"),
        ([(2, 50, 60)], Verdict.NOT_EXERCISED, None, "the knees of fewer than two numbers of pods were searched"),
        ([(2, 50, 60), (10, None, None)], Verdict.INCONCLUSIVE, None, "10 pods: why; and more"),
        ([(2, None, None), (10, 200, 220)], Verdict.INCONCLUSIVE, None, "2 pods: why; and more"),
    ],
)
def test_the_base_grows_where_the_most_pods_carry_what_the_fewest_did_not(
    rates: list[tuple[int, float | None, float | None]], verdict: Verdict, factor: float | None, reason: str
) -> None:
    knees = [
        Knee(
            pods=pods, rate_per_s=rate, broken_per_s=broken, told=(message("why"), message("and more")),
            verdict=Verdict.INCONCLUSIVE if rate is None else Verdict.PASS,
        )
        for pods, rate, broken in rates
    ]  # fmt: skip
    found = grows(knees)
    assert (found.key, found.claim) == (("", "decision.future"), "decision.future")
    assert (found.verdict, found.value, found.reason) == (verdict, factor, reason)


def test_growth_is_shown_by_what_each_number_of_pods_carries() -> None:
    ten = Knee(pods=10, rate_per_s=200, broken_per_s=220, told=(message("why"),), verdict=Verdict.PASS)
    two = msgspec.structs.replace(ten, pods=2, rate_per_s=50, broken_per_s=60)
    assert english(grows([ten, two]).shown) == "2 pods 50.0/s; 10 pods 200.0/s"
    broke = msgspec.structs.replace(ten, rate_per_s=None, verdict=Verdict.FAIL)
    assert english(grows([broke, two]).shown) == "2 pods 50.0/s; 10 pods: none"
