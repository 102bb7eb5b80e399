"""The condition Progressing and its deadline."""

from __future__ import annotations

from harness.control import progress
from harness.control.progress import Counts, ProgressCondition, follow
from harness.model.cluster import PodView
from harness.model.manifests import Deployment, PodTemplate, RollingUpdate

S = 1_000_000_000
STUCK = Counts(3, 1, 2, 2)


def test_the_deadline_counts_from_the_last_sign_of_progress() -> None:
    seen = progress.begin(ProgressCondition(counts=Counts(2, 0, 2, 2)), 0)
    seen = follow(seen, STUCK, 2, 600, 10 * S)
    assert (seen.reason, seen.updated_ns) == (progress.UPDATED, 10 * S)
    assert follow(seen, STUCK, 2, 600, 610 * S).reason == progress.UPDATED
    late = follow(seen, STUCK, 2, 600, 610 * S + 1)
    assert late.stuck and follow(late, STUCK, 2, 600, 999 * S) == late


def test_each_sign_of_progress() -> None:
    seen = ProgressCondition(progress.UPDATED, 0, STUCK)
    for counts in (Counts(4, 2, 2, 2), Counts(2, 1, 2, 2), Counts(3, 1, 3, 2), Counts(3, 1, 2, 3)):
        assert follow(seen, counts, 2, 600, 5 * S).updated_ns == 5 * S
    for counts in (STUCK, Counts(3, 1, 1, 1), Counts(4, 1, 2, 2)):
        assert follow(seen, counts, 2, 600, 5 * S).updated_ns == 0


def test_a_stuck_one_that_moves_again_progresses() -> None:
    assert (
        follow(ProgressCondition(progress.TIMED_OUT, 0, STUCK), Counts(3, 1, 3, 3), 2, 600, S).reason
        == progress.UPDATED
    )


def test_complete_stays_complete_until_a_new_template() -> None:
    done = follow(ProgressCondition(progress.UPDATED, 0, STUCK), Counts(2, 2, 2, 2), 2, 600, S)
    assert done.reason == progress.COMPLETE
    crashed = follow(done, Counts(2, 2, 0, 0), 2, 1, 900 * S)
    assert (crashed.reason, crashed.updated_ns) == (progress.COMPLETE, S)
    assert follow(progress.begin(crashed, 901 * S), Counts(3, 1, 2, 2), 2, 600, 902 * S).reason == progress.UPDATED


def test_without_a_deadline_there_is_no_condition() -> None:
    assert follow(ProgressCondition(progress.UPDATED, 0, STUCK), STUCK, 2, None, 10**6 * S).reason == ""


def test_what_rollout_status_says() -> None:
    def told(counts: Counts, reason: str = progress.UPDATED) -> tuple[bool | None, str]:
        return progress.told("api", ProgressCondition(reason, 0, counts), counts, 2)

    assert told(Counts(2, 0, 2, 2)) == (
        None,
        'Waiting for deployment "api" rollout to finish: 0 out of 2 new replicas have been updated...',
    )
    assert told(Counts(3, 2, 3, 3))[1].endswith("1 old replicas are pending termination...")
    assert told(Counts(2, 2, 1, 1))[1].endswith("1 of 2 updated replicas are available...")
    assert told(Counts(2, 2, 2, 2)) == (True, 'deployment "api" successfully rolled out')
    assert told(Counts(3, 1, 2, 2), progress.TIMED_OUT) == (
        False,
        'error: deployment "api" exceeded its progress deadline',
    )


def test_the_counts_of_a_deployment_are_its_live_pods_by_revision_readiness_and_for_how_long() -> None:
    def pod(revision: str, ready_s: int | None, *, terminating: bool = False) -> PodView:
        since_ns = None if ready_s is None else ready_s * S
        return PodView(
            name="p", revision=revision, created_ns=0, ready=since_ns is not None, ready_since_ns=since_ns,
            terminating=terminating,
        )  # fmt: skip

    deployment = Deployment(
        name="api",
        replicas=3,
        template=PodTemplate(digest="new", containers=()),
        strategy=RollingUpdate(),
        min_ready_s=5,
    )
    pods = [
        pod("new", 0),
        pod("new", 8),
        pod("new", None),
        pod("old", 1),
        pod("old", 2),
        pod("new", 0, terminating=True),
    ]
    assert progress.count(pods, deployment, 10 * S) == Counts(replicas=5, updated=3, ready=4, available=3)


def test_a_replacement_begins_with_the_counts_that_there_were() -> None:
    seen = ProgressCondition(progress.COMPLETE, 5, Counts(2, 2, 2, 2))
    assert progress.begin(seen, 9 * S) == ProgressCondition(progress.CREATED, 9 * S, Counts(2, 2, 2, 2))


def test_every_look_keeps_its_counts() -> None:
    """What fell counts as progress when it comes back."""
    assert follow(ProgressCondition(), STUCK, 2, None, S) == ProgressCondition(counts=STUCK)
    done = follow(ProgressCondition(progress.UPDATED, 0, STUCK), Counts(2, 2, 2, 2), 2, 600, S)
    assert done == ProgressCondition(progress.COMPLETE, S, Counts(2, 2, 2, 2))
    fallen = follow(ProgressCondition(progress.UPDATED, 0, STUCK), Counts(3, 1, 1, 1), 2, 600, S)
    assert fallen == ProgressCondition(progress.UPDATED, 0, Counts(3, 1, 1, 1))
    assert follow(fallen, STUCK, 2, 600, 2 * S).updated_ns == 2 * S


def test_a_crash_after_the_end_and_its_recovery_are_no_new_progress() -> None:
    done = ProgressCondition(progress.COMPLETE, S, Counts(2, 2, 0, 0))
    assert follow(done, Counts(2, 2, 1, 1), 2, 600, 9 * S) == ProgressCondition(
        progress.COMPLETE, S, Counts(2, 2, 1, 1)
    )


def test_without_a_condition_no_deadline_passes() -> None:
    assert follow(ProgressCondition(counts=STUCK), STUCK, 2, 600, 10**6 * S) == ProgressCondition(counts=STUCK)
