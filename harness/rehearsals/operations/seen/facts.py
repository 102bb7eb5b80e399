"""What was seen of a live stack or cluster, as data."""

from __future__ import annotations

import msgspec

from harness.model.message import Told


class PodNow(msgspec.Struct, frozen=True, kw_only=True):
    """A pod. ``phase`` is Kubernetes' word; ``restarted_s`` how long ago a container of it last ended and ``why``,
    ``None`` where none did. Cores and bytes are used and, behind ``asked_``, requested; ``None`` where nobody says.
    """

    name: str
    phase: str
    ready: bool
    restarts: int = 0
    restarted_s: float | None = None
    why: str = ""
    node: str = ""
    cores: float | None = None
    memory_bytes: int | None = None
    asked_cores: float | None = None
    asked_memory_bytes: int | None = None


class ObservedCondition(msgspec.Struct, frozen=True, kw_only=True):
    """One of an HPA's ``status.conditions``, in Kubernetes' words; ``status`` is True, False or Unknown."""

    type: str
    status: str
    reason: str = ""
    said: str = ""


class AutoscalerNow(msgspec.Struct, frozen=True, kw_only=True):
    """An HPA. ``uses`` are its metrics, now and the target: per cent of the request as a number, any other amount as
    Kubernetes writes it; now is ``None`` where it knows none. ``conditions`` are ``None`` of a run that did not keep
    them.
    """

    name: str
    least: int
    most: int
    replicas: int
    wanted: int
    uses: tuple[tuple[str, int | str | None, int | str], ...] = ()
    conditions: tuple[ObservedCondition, ...] | None = None


class BudgetNow(msgspec.Struct, frozen=True, kw_only=True):
    """A PodDisruptionBudget: how many of its pods may be evicted now."""

    name: str
    healthy: int
    allowed: int


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """A warning of Kubernetes' own events, so many times."""

    reason: str
    about: str
    said: str
    times: int


class LogsNow(msgspec.Struct, frozen=True, kw_only=True):
    """The pods' logs of a day: lines by severity ("" of those that are no structured log), and the errors' messages,
    the most frequent first."""

    lines: dict[str, int] = {}
    errors: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        """Of all lines."""
        return sum(self.lines.values())


class ObservedStack(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``where`` names the stack or cluster; ``unread`` are commands that did not end well, each with what it
    said. A part that an environment has not is ``None``.
    """

    where: str
    pods: tuple[PodNow, ...] = ()
    logs: LogsNow = LogsNow()
    autoscalers: tuple[AutoscalerNow, ...] | None = None
    budgets: tuple[BudgetNow, ...] | None = None
    warnings: tuple[Warned, ...] | None = None
    answers: dict[str, int] = {}
    unread: tuple[tuple[str, str], ...] = ()


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """Where a claim of the document stands by the stored results, and ``why`` (() of runs that kept it in English).
    ``folder`` is of the run that decided, ``age_s`` of it; "" and ``None`` without one. ``judged``: a run that counts
    judged it, which may be where less is proved than the claim says.
    """

    claim: str
    state: str
    why: Told = ()
    folder: str = ""
    age_s: float | None = None
    judged: bool = False
