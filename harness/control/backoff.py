"""The kubelet's crash-loop back-off (pkg/kubelet/kubelet.go: ``backOffPeriod`` 10 s, ``MaxContainerBackOff`` 300 s)."""

from __future__ import annotations

BASE_S = 10.0
MAX_S = 300.0
RESET_AFTER_S = 2 * MAX_S  # client-go flowcontrol.Backoff: an entry expires after twice its maximum


def restart_delay_s(restarts: int) -> float:
    """Seconds to wait after a container's end before it is started again.

    ``restarts`` is how often it was restarted since the last reset: 0 -> at once, 1 -> 10, 2 -> 20, ... at most 300.
    Kubernetes: "Container restart policy": restarts with an exponential back-off (10 s, 20 s, 40 s, ...), capped at
    300 seconds; the first restart is immediate. Raises ``ValueError`` for a negative count.
    """
    if restarts < 0:
        raise ValueError(f"restarts is {restarts}, must be 0 or more")
    if restarts == 0:
        return 0.0
    # The exponent is bounded before the power: a count of thousands must not become a number of thousands of bits.
    return float(min(MAX_S, BASE_S * 2 ** min(restarts - 1, 10)))


def restarts_after_run(restarts: int, ran_s: float) -> int:
    """The count that ``restart_delay_s`` takes after a run of ``ran_s`` seconds: 0 once it ran over 10 minutes.

    Kubernetes: "once a container has executed for 10 minutes without any problems, the kubelet resets the restart
    backoff timer". The caller adds one for the restart it makes then. ``PodView.restarts`` never falls: it is the
    container's restart count, not this.
    """
    return 0 if ran_s > RESET_AFTER_S else restarts
