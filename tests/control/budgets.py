"""Disruption budgets of every form, drawn by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from harness.model.manifests import Budget, UnhealthyPodEviction

AMOUNT = st.integers(0, 8) | st.integers(0, 100).map(lambda percent: f"{percent}%")


def budgets(*unhealthy: UnhealthyPodEviction) -> st.SearchStrategy[Budget]:
    """A number or a share of pods that stay, or that may be away; with one of these policies, or with none."""
    given = {"name": st.just("api"), "unhealthy": st.sampled_from([None, *unhealthy])}
    return st.builds(Budget, min_available=AMOUNT, **given) | st.builds(Budget, max_unavailable=AMOUNT, **given)
