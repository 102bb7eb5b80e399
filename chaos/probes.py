"""What the experiments look at: the steady state is that of the scenario, judged by the harness on its evidence."""

from __future__ import annotations

from chaos.bridge import ask


def steady() -> bool:
    """Whether the steady state holds, or comes back within the experiment's ``recover_within``."""
    return bool(ask("steady"))
