"""The kubelet's probe worker as a pure rule (pkg/kubelet/prober/worker.go)."""

from __future__ import annotations

import msgspec

from harness.model.manifests import Probe

_NS = 1_000_000_000


class ProbeState(msgspec.Struct, frozen=True, kw_only=True):
    """Of one probe of one started container. ``streak`` counts equal results in a row, ``last_ok`` is their value."""

    started_ns: int
    passing: bool
    last_ok: bool | None = None
    streak: int = 0
    last_at_ns: int | None = None


def start(probe: Probe, started_ns: int, *, passing: bool) -> ProbeState:
    """The state when a container starts at ``started_ns``.

    Kubernetes: before its first result a readiness probe counts as failed and a liveness probe as passed
    (``newWorker``: ``initialValue``), so ``passing`` is false for readiness and true for liveness.
    """
    del probe  # a container's first state does not depend on the probe; the signature stays that of its siblings
    return ProbeState(started_ns=started_ns, passing=passing)


def next_due_ns(probe: Probe, state: ProbeState) -> int:
    """The next tick that probes: on a grid of ``periodSeconds`` from the container's start, the first after a whole
    period and not before ``initialDelaySeconds``.

    Kubernetes: a ticker of the period drives the worker from before the container runs, and ``doProbe`` skips until the
    initial delay has passed: a delay of 5 s and a period of 10 s come to 10 s (on kind pods are ready 10 to 12 s after
    their start). A tick that passes while a probe is still under way is lost, hence a grid and not "period after the
    last result".
    """
    period_ns = max(1, round(probe.period_s * _NS))
    last_ns = state.started_ns if state.last_at_ns is None else state.last_at_ns
    earliest_ns = max(last_ns + 1, _delayed_ns(probe, state))
    return state.started_ns + -(-(earliest_ns - state.started_ns) // period_ns) * period_ns


def triggered_ns(probe: Probe, state: ProbeState, *, at_ns: int) -> int:
    """When a readiness probe is due that was triggered at ``at_ns``: then, or with the next tick in the initial delay.

    Kubernetes: ``UpdatePodStatus`` triggers one as soon as the container has started: as it runs, or its startup probe
    has passed.
    """
    return at_ns if at_ns >= _delayed_ns(probe, state) else next_due_ns(probe, state)


def ready_after_s(startup: Probe | None, readiness: Probe | None) -> float:
    """The seconds from a container's start to its readiness that these probes ask for, if each passes at once."""
    passed_ns = 0 if startup is None else next_due_ns(startup, start(startup, 0, passing=False))
    if readiness is not None:
        passed_ns = triggered_ns(readiness, start(readiness, 0, passing=False), at_ns=passed_ns)
    return passed_ns / _NS


def _delayed_ns(probe: Probe, state: ProbeState) -> int:
    return state.started_ns + round(probe.initial_delay_s * _NS)


def skip(state: ProbeState, *, at_ns: int) -> ProbeState:
    """The state after a tick at ``at_ns`` that was lost.

    Kubernetes: ``doProbe`` probes nothing for liveness and readiness before the startup probe has passed.
    """
    return msgspec.structs.replace(state, last_at_ns=at_ns)


def observe(probe: Probe, state: ProbeState, *, ok: bool, at_ns: int) -> ProbeState:
    """The state after a result at ``at_ns`` (a probe that took longer than ``timeoutSeconds`` is not ``ok``).

    Kubernetes: ``doProbe`` changes the state only after ``successThreshold`` or ``failureThreshold`` equal results in
    a row; until then the state before stands.
    """
    streak = state.streak + 1 if state.last_ok is ok else 1
    threshold = probe.success_threshold if ok else probe.failure_threshold
    passing = ok if streak >= threshold else state.passing
    return ProbeState(started_ns=state.started_ns, passing=passing, last_ok=ok, streak=streak, last_at_ns=at_ns)
