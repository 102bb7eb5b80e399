"""What the experiments do. Every action is asked of the stack under rehearsal, whatever its rung."""

from __future__ import annotations

from chaos.bridge import ask


def inject(kind: str, share: float = 1.0, delay_ms: float = 0.0, subject: str = "") -> str:
    """Starts a fault (``harness.model.stack.FaultKind``); it lasts until ``undo``. A zone is the one with most pods."""
    return str(ask("inject", kind=kind, share=share, delay_ms=delay_ms, subject=subject))


def undo() -> int:
    """Ends every fault of this experiment; returns how many."""
    return int(ask("undo"))


def drain() -> str:
    """``kubectl drain`` of the node with the most pods, under the PodDisruptionBudget."""
    return str(ask("drain"))


def restart() -> str:
    """``kubectl rollout restart``: every pod replaced by the strategy; returns when the old ones are gone."""
    return str(ask("restart"))


def never_ready() -> str:
    """Rolls out pods whose readiness probe asks for a path that is not there; ``undo`` rolls back."""
    return str(ask("never_ready"))


def exhaust_connections() -> int:
    """Takes every connection that PostgreSQL gives to the application's role; returns how many. ``undo`` frees them."""
    return int(ask("exhaust_connections"))


def lock_walks() -> int:
    """Locks the table of walks, as a migration does, until ``undo``; how many of the pools' connections wait for it."""
    return int(ask("lock_walks"))


def flap_flag(times: int = 3, every_s: float = 5.0) -> int:
    """Publishes the flag off and on in turn; it ends as it was. Returns the last version."""
    return int(ask("flap_flag", times=times, every_s=every_s))


def flag_off() -> int:
    """The flag off for everybody (ロールバック手順 1), until ``undo``; returns the version."""
    return int(ask("flag_off"))


def repeat(kind: str, every_s: float, times: int) -> int:
    """The fault ``times`` times, one begun every ``every_s``; returns how often a pod was there for it."""
    return int(ask("repeat", kind=kind, every_s=every_s, times=times))


def standby(synchronous: bool) -> str:
    """A standby of PostgreSQL that streams (``pg_basebackup -R``); with ``synchronous`` every commit waits for it.
    ``undo`` ends it unless it has become the primary.
    """
    return str(ask("standby", synchronous=synchronous))


def stop_receiving() -> str:
    """The standby receives no more WAL: what is committed from now on is on the primary alone."""
    return str(ask("stop_receiving"))
