"""From the autoscaler's decision to a ready pod: of a stored run on kind, and of planted courses."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from harness.base.ticks import NS
from harness.model.evidence import EventRow
from harness.model.judgement import Verdict
from harness.model.message import english
from harness.rehearsals.scaling.facts_starts import facts
from harness.rehearsals.scaling.types import Loaded
from tests.corpus.today import left
from tests.scaling.made import of, ruled
from tests.scaling.test_judge import HPA, pod, resize

CLAIM = "cold_start"


def told(at_s: float, name: str, reason: str, said: str) -> EventRow:
    data = {"reason": reason}
    return EventRow(
        at_ns=round(at_s * NS), kind="kubernetes", subject=f"pod/{name}", message=f"{reason}: {said}", data=data
    )


def decided(rows: Sequence[EventRow], load_s: float = 0, end_s: float = 200) -> tuple[Verdict, str]:
    did = Loaded(load_ns=round(load_s * NS), end_ns=round(end_s * NS))
    (found,) = ruled(HPA, (CLAIM,), facts(of(HPA), HPA, did, sorted(rows, key=lambda row: row.at_ns)))
    return found.verdict, found.reason


def test_the_pods_that_a_real_autoscaler_had_made_on_kind_were_ready_within_its_minutes() -> None:
    events = left("scaling_commands_kind").seen.evidence.events
    did = Loaded(load_ns=events[0].at_ns, end_ns=events[-1].at_ns)
    slowest, pulled = facts(of(HPA), HPA, did, events)
    assert (slowest.of, pulled.seen, pulled.of) == (3, 0, 3)
    assert slowest.seen == pytest.approx(15.0, abs=0.05)
    assert english(slowest.told[1:]) == (
        "tekutoko-api-7f5b66b6b5-4pzgc: made after 0.1 s, scheduled after 0.2 s, images there after 2.3 s, "
        "started after 3.9 s, ready after 15.0 s"
    )


#: A decision, and the pod that was made on it: its image is pulled; the second container is the last to start.
COLD = [
    resize(30, 3, "cpu"), pod(30.1, "n", "Pending"), told(31, "n", "Scheduled", "to a node"),
    told(62, "n", "Pulled", 'Successfully pulled image "api" in 31s'), told(63, "n", "Started", "api"),
    told(64, "n", "Pulled", 'Container image "proxy" already present on machine'), told(65, "n", "Started", "proxy"),
    pod(66, "n", "Running"), pod(80, "n", "Ready"),
    told(90, "n", "Started", "api (2 times)"),
]  # fmt: skip


def test_a_pull_is_a_step_of_the_way_and_a_restart_is_none() -> None:
    verdict, reason = decided(COLD)
    assert verdict is Verdict.PASS
    assert reason.startswith("from the autoscaler's decision to a ready pod: 50 s at the most, of 1 pods")
    assert reason.endswith("images there after 34.0 s, started after 35.0 s, ready after 50.0 s")
    _, pulled = facts(of(HPA), HPA, Loaded(load_ns=0, end_ns=200 * NS), COLD)
    assert (pulled.seen, pulled.of) == (1, 1)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([*COLD[:-2], pod(230, "n", "Ready")], Verdict.FAIL),  # too late
        ([*COLD[:-2], pod(250, "a", "Ready")], Verdict.FAIL),  # and never
        ([*COLD[:-2], pod(100, "n", "Terminating"), pod(250, "a", "Ready")], Verdict.INCONCLUSIVE),  # not waited for
        ([*COLD[1:]], Verdict.INCONCLUSIVE),  # nobody decided it
        ([resize(10, 3, "cpu"), *COLD[1:]], Verdict.INCONCLUSIVE),  # a pod that replaces another, 20 s later
        ([], Verdict.INCONCLUSIVE),
    ],
)
def test_late_and_never_fail_and_what_the_autoscaler_did_not_ask_for_shows_nothing(
    rows: list[EventRow], verdict: Verdict
) -> None:
    assert decided(rows)[0] is verdict


def test_one_that_comes_a_moment_before_its_decision_is_told_counts_from_itself() -> None:
    early = [msgspec.structs.replace(COLD[0], at_ns=COLD[1].at_ns + NS // 2), *COLD[1:]]
    assert "49.9 s at the most" in decided(early)[1]


def test_where_pods_are_processes_nobody_pulls() -> None:
    _, pulled = facts(of(HPA), HPA, Loaded(load_ns=0, end_ns=200 * NS), [COLD[0], COLD[1], *COLD[7:9]])
    assert "no images to pull" in english(pulled.lacks)
