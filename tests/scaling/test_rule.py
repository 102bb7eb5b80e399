"""The rule over a planted course: what it asks for of pods that hold memory, and of pods that are idle."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.base import planfile
from harness.base.clock import NS
from harness.model.autoscaling import Behavior, PolicyKind, ScalingPolicy, ScalingRules
from harness.model.evidence import EventRow, SampleRow
from harness.rehearsals.scaling.judge_rule import Course, decisions, recommended
from harness.rehearsals.scaling.types import Controlled, ScalingPlan, controlled
from harness.stack.manifests import load as load_manifests

MANIFESTS = load_manifests(Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "overlays" / "kind")
CONTROLLED = controlled(MANIFESTS) or pytest.fail("the manifests have no HPA")
MIB = 2**20
MEMORY = "memory resource utilization (percentage of request) above target"


def pod(at_s: float, name: str, state: str) -> EventRow:
    return EventRow(at_ns=round(at_s * NS), kind="pod", subject=name, message="", data={"state": state})


def usage(at_s: float, name: str, cores: float, mib: float) -> list[SampleRow]:
    at_ns, subject = round(at_s * NS), f"pod/{name}"
    return [
        SampleRow(at_ns=at_ns, metric="cpu_cores", subject=subject, value=cores),
        SampleRow(at_ns=at_ns, metric="memory_bytes", subject=subject, value=mib * MIB),
        SampleRow(at_ns=at_ns, metric="window_s", subject=subject, value=15.0),
    ]


def resize(at_s: float, size: int, reason: str) -> EventRow:
    message = f"SuccessfulRescale: New size: {size}; reason: {reason}"
    return EventRow(at_ns=round(at_s * NS), kind="kubernetes", subject="hpa", message=message)


def pods(*names: str, at_s: float = 0.0) -> list[EventRow]:
    return [row for name in names for row in (pod(at_s, name, "Pending"), pod(at_s + 5, name, "Ready"))]


def test_requests_are_those_of_both_containers() -> None:
    assert (CONTROLLED.requests_m("cpu"), CONTROLLED.requests_m("memory")) == (600, 640 * MIB * 1000)
    assert (CONTROLLED.alone_m("cpu"), CONTROLLED.alone_m("memory")) == (500, 512 * MIB * 1000)


@pytest.mark.parametrize(
    ("mib", "wanted"),
    [
        (560, 2),  # 87 %: within the tolerance
        (570, 3),  # 89 %: 2 x 89 / 80 is 2.2
        (970, 4),  # 151 %: 3.8
    ],
)
def test_memory_of_two_pods(mib: float, wanted: int) -> None:
    hpa = CONTROLLED.hpa
    samples = [row for name in "ab" for row in usage(90, name, 0.01, mib)]
    assert Course(pods("a", "b"), samples, CONTROLLED).asks(hpa, 2, 100 * NS, 100 * NS) == wanted


def test_without_figures_it_asks_for_nothing() -> None:
    hpa = CONTROLLED.hpa
    assert Course(pods("a", "b"), [], CONTROLLED).asks(hpa, 2, 100 * NS, 100 * NS) is None
    assert decisions([*pods("a", "b"), resize(100, 4, MEMORY)], [], CONTROLLED, 2, 0)[0].allowed == ()


def test_a_decision_up_and_one_down_beside_the_rule() -> None:
    """Two pods hold 970 MiB from 100 s to 300 s."""
    rows = [
        *pods("a", "b"),
        resize(130, 4, MEMORY),
        *pods("c", "d", at_s=131),
        resize(610, 2, "All metrics below target"),
    ]
    samples: list[SampleRow] = []
    for at_s in range(60, 620, 15):
        holding = 100 <= at_s < 300
        samples += [row for name in "ab" for row in usage(at_s, name, 0.01, 970 if holding else 90)]
        samples += [row for name in "cd" if at_s > 150 for row in usage(at_s, name, 0.01, 90)]
    up, down = decisions(rows, samples, CONTROLLED, 2, 90 * NS)
    assert (up.before, up.size, down.before, down.size) == (2, 4, 4, 2)
    assert 4 in up.allowed and 10 not in up.allowed
    assert 2 in down.allowed
    asked = recommended(rows, samples, CONTROLLED, 2, (100 * NS, 400 * NS))
    last_of_four = max(at_ns for at_ns, _, size in asked if size == 4)
    assert 290 * NS <= last_of_four < 315 * NS
    early = [*rows[:-1], resize(400, 2, "All metrics below target")]  # the memory was held 100 s ago
    assert 2 not in decisions(early, samples, CONTROLLED, 2, 90 * NS)[1].allowed


def test_somebody_s_own_manifests_begin_with_as_many_pods_as_they_have() -> None:
    """Three, in a part that is of two: from two it could have gone no further than to four."""
    rows = [*pods("a", "b", "c"), resize(130, 6, MEMORY)]
    samples = [row for at_s in range(60, 140, 15) for name in "abc" for row in usage(at_s, name, 0.01, 970)]
    [up] = decisions(rows, samples, CONTROLLED, 2, 90 * NS)
    assert (up.before, up.size, up.allowed) == (3, 6, (6,))


def test_the_pods_of_a_decision_that_is_told_late_are_none_that_there_were() -> None:
    """Two pods; the load begins at 132 s, between what the first decision made and its event."""
    rows = [*pods("a", "b"), pod(131, "c", "Pending"), pod(131, "d", "Pending"), resize(133, 4, MEMORY)]
    samples = [row for at_s in range(60, 140, 15) for name in "ab" for row in usage(at_s, name, 0.01, 1500)]
    [up] = decisions(rows, samples, CONTROLLED, 2, 132 * NS)
    assert (up.before, up.size, up.allowed) == (2, 4, (4,))


def test_pods_of_before_count_no_more_though_their_last_figures_are_there() -> None:
    """Seen on kind: eight pods of an earlier part made the rule ask for 23 where the controller rightly asked for 7."""
    hpa = CONTROLLED.hpa
    gone = [row for name in ("x", "y", "z") for row in (*pods(name), pod(50, name, "Gone"))]
    samples = [row for name in "abxyz" for row in usage(40, name, 0.01, 970)]
    samples += [row for name in "ab" for row in usage(90, name, 0.01, 970)]
    rows = sorted([*gone, *pods("a", "b"), pod(80, "c", "Pending"), pod(85, "c", "Ready")], key=lambda row: row.at_ns)
    # c has no figure yet, so it counts for nothing on the way up: 2 x 970 MiB over 3 x 640 MiB are 101 % of the 80 %.
    assert Course(rows, samples, CONTROLLED).asks(hpa, 3, 100 * NS, 100 * NS) == 4


def at_once() -> Controlled:
    """An HPA that nothing limits and nothing stabilises."""
    everything = ScalingPolicy(kind=PolicyKind.PERCENT, value=1000, period_s=15)
    rules = ScalingRules(policies=(everything,), stabilization_s=0)
    hpa = msgspec.structs.replace(CONTROLLED.hpa, behavior=Behavior(up=rules, down=rules))
    return msgspec.structs.replace(CONTROLLED, hpa=hpa)


def shrunk(*taken: str, killed: str = "") -> list[EventRow]:
    """Of six pods ``killed`` is gone at 98 s, ``taken`` begin to go at 99 s; at 100 s a decision is told."""
    rows = pods(*"abcdef")
    rows += [pod(98, name, "Terminating") for name in killed] + [pod(99, name, "Terminating") for name in taken]
    return [*rows, resize(100, 6 - len(taken), MEMORY)]


@pytest.mark.parametrize(
    ("rows", "allowed"),
    [
        (shrunk("f", "e"), (4,)),  # six of which each has 60 % of what it should have
        (shrunk("f", "e", "d", "c"), (4,)),  # two of the two that are left then, were the four not its own doing
        (shrunk("f", "e", killed="a"), (3, 4)),  # five of six answered if it decided after the kill, else all
    ],
)
def test_what_a_decision_did_itself_it_cannot_have_seen(rows: list[EventRow], allowed: tuple[int, ...]) -> None:
    samples = [row for name in "abcdef" for row in usage(90, name, 0.01, 310)]
    assert decisions(rows, samples, at_once(), 6, 60 * NS)[0].allowed == allowed


def test_pods_that_it_made_itself_it_cannot_have_seen_either() -> None:
    """Two more pods, of which no figure is there: had it seen them, the two before were no reason for more."""
    samples = [row for name in "ab" for row in usage(90, name, 0.01, 970)]
    rows = [*pods("a", "b"), *(pod(99, name, "Pending") for name in "cd"), resize(100, 4, MEMORY)]
    assert decisions(rows, samples, at_once(), 2, 60 * NS)[0].allowed == (4,)


def test_of_two_figures_of_one_time_the_one_that_was_there_counts() -> None:
    hpa = CONTROLLED.hpa

    def seen(mib: float, lag_s: float) -> list[SampleRow]:
        lag = [SampleRow(at_ns=90 * NS, metric="lag_s", subject=f"pod/{name}", value=lag_s) for name in "ab"]
        (one, two) = (usage(90, name, 0.01, mib) for name in "ab")
        return [*one, lag[0], *two, lag[1]]

    course = Course(pods("a", "b"), [*seen(90, 5), *seen(970, 20)], CONTROLLED)
    assert [course.asks(hpa, 2, at_s * NS, at_s * NS) for at_s in (100, 109, 110)] == [1, 1, 4]


def test_the_plan_s_memory_asks_for_all_ten_pods_at_every_size() -> None:
    """With five pods that held it, nine were within the tolerance, and the autoscaler rightly stayed there."""
    hpa = CONTROLLED.hpa
    part = next(each for each in planfile.bundled("scaling", ScalingPlan).parts if each.name == "hpa_memory")
    limit_mib = (MANIFESTS.deployment.template.containers[0].limit_memory_bytes or 0) / MIB
    names = "abcdefghi"
    assert part.held <= len(names)
    for size in range(part.held, part.high):
        used = [part.hold * limit_mib if number < part.held else 67 for number in range(size)]
        samples = [row for name, mib in zip(names, used, strict=False) for row in usage(90, name, 0.01, mib)]
        asked = Course(pods(*names[:size]), samples, CONTROLLED).asks(hpa, size, 100 * NS, 100 * NS)
        assert asked is not None and asked >= part.high, size
