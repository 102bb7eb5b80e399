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
    """When the next probe is due: ``initialDelaySeconds`` after the start, then on a grid of ``periodSeconds``.

    Kubernetes: ``doProbe`` skips until the initial delay has passed; a ticker of the period drives the worker, and a
    tick that passes while a probe is still under way is lost, hence a grid and not "period after the last result".
    """
    first_ns = state.started_ns + round(probe.initial_delay_s * _NS)
    if state.last_at_ns is None or state.last_at_ns < first_ns:
        return first_ns
    period_ns = max(1, round(probe.period_s * _NS))
    return first_ns + ((state.last_at_ns - first_ns) // period_ns + 1) * period_ns


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
