"""From the seconds that clients took to a case of the proof. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model.message import english, message
from harness.rehearsals.flag_proof.types import Direction, FetchCase, FlagPlan, Kind, Outcome, ProofCase
from harness.rehearsals.flag_proof.virtual import bound_s, drawn, switch_s


def virtual_cases(plan: FlagPlan, seed: int) -> list[ProofCase]:
    """Every interval, kind of client and direction, at the document's own times."""
    return [
        virtual_case(plan, case, kind, direction, seed)
        for case in plan.cases
        for kind in plan.kinds
        for direction in Direction
    ]


def virtual_case(plan: FlagPlan, case: FetchCase, kind: Kind, direction: Direction, seed: int) -> ProofCase:
    """One of them."""
    took_s = [switch_s(client, published_s, direction) for client, published_s in drawn(plan, case, kind, seed)]
    bound = bound_s(
        interval_s=case.fetch_interval_s, pace_s=plan.pace_s, session_s=kind.session_s, offline_s=kind.offline_s
    )
    late = case.late or kind.late
    return judged(
        f"virtual.{interval_word(case.fetch_interval_s)}.{kind.name}.{direction}",
        plan.claim,
        took_s,
        mode="virtual",
        clients=plan.clients,
        bound=bound,
        limit=plan.limit_s,
        late=late,
    )


def judged(
    case_id: str,
    claim: str,
    took_s: Sequence[float],
    *,
    mode: str,
    clients: int,
    bound: float,
    limit: float | None,
    late: str = "",
) -> ProofCase:
    """``took_s`` of the clients that switched. Beyond ``bound`` fails whatever was expected: the rule is then wrong.

    ``limit`` is the document's, ``None`` where the times are scaled; ``late`` the erratum by which it is not kept.
    """
    last = max(took_s, default=None)
    within = last is not None and len(took_s) == clients
    told = [message("{switched} of {clients} clients switched", switched=str(len(took_s)), clients=str(clients))]
    told += [message("the last after {seconds} s", seconds=f"{last:.1f}")] if last is not None else []
    rule = message("the rule's bound is {bound} s", bound=f"{bound:.1f}")
    allowed = message("the document allows {limit} s", limit=f"{limit or 0:g}")
    if not within or last is None or last > bound:
        outcome = Outcome.FAILED
        told.append(rule)
    elif limit is None:
        outcome = Outcome.PASSED
        told.append(message("within the rule's bound of {bound} s (times are scaled)", bound=f"{bound:.1f}"))
    elif late:
        outcome = Outcome.ERRATUM_SHOWN if last > limit else Outcome.MISSED
        told.append(allowed)
    else:
        outcome = Outcome.PASSED if last <= limit else Outcome.FAILED
        told += [allowed, rule]
    return ProofCase(
        id=case_id,
        mode=mode,
        claim=claim,
        outcome=outcome,
        reason=english(told),
        told=tuple(told),
        erratum=late if limit is not None else "",
        clients=clients,
        switched=len(took_s),
        last_s=last,
        bound_s=bound,
        limit_s=limit,
    )


def interval_word(seconds: float) -> str:
    """``60s``, ``12h``."""
    return f"{seconds / 3600:g}h" if seconds >= 3600 else f"{seconds:g}s"
