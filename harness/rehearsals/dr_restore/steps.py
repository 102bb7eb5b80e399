"""The document's steps on the stack, judged: as written, as corrected, the restart, the traffic after it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.bounds import ratio_lower, ratio_upper
from harness.model.verdict import Verdict
from harness.rehearsals.dr_restore.losses import within
from harness.rehearsals.dr_restore.result import Finding
from harness.rehearsals.dr_restore.stack_result import OnStack, Restart, contrary
from harness.rehearsals.dr_restore.traffic import Seen
from harness.rehearsals.dr_restore.types import RecoveryPlan

#: The document says of the restart how long it takes. With most requests failing it is an outage, and no restart.
MOST_FAILED = 0.5
_NOT_REACHED = "not reached: as corrected, no good answer came"


def rto_of(plan: RecoveryPlan, found: OnStack) -> Finding:
    """Without a good answer the RTO is only known to be longer than what was waited."""
    answered = found.corrected.first_good_s is not None
    verdict = within(found.case.total_s, plan.rto_s)
    if verdict is Verdict.PASS and not answered:
        verdict = Verdict.INCONCLUSIVE
    return Finding(
        id="rto.measured",
        claim="dr.rto",
        verdict=verdict,
        value=found.case.total_s if answered else None,
        bound=None if answered else found.case.total_s,
        limit=plan.rto_s,
        samples=1,
        reason=("" if answered else f"no good answer in {found.corrected.waited_s:.0f} s, so it is longer than this; ")
        + "detect + restore + replay + switch (the new instance made known to the sidecars in "
        f"{found.register_s:.2f} s of it) + ready, a small database under load, on this machine's disk; left out: "
        f"nobody had to be woken, the {found.verify_s:.2f} s of looking at the restored instance before traffic, the "
        f"{found.written.watched_s:.0f} s of the procedure as written",
    )


def steps(plan: RecoveryPlan, found: OnStack | None, *, own_network: bool) -> Iterator[Finding]:
    """Every finding about the document's steps; none when the stack did not run. ``own_network``: instances have
    addresses of their own, as in a cluster; else they differ by their ports alone.
    """
    if found is None:
        return
    yield _as_written(found)
    yield _own_address(own_network)
    yield _as_corrected(found)
    yield _restart(plan, found)
    yield _available(plan, found.after)
    yield _users(plan, found.after)


def _as_written(found: OnStack) -> Finding:
    """The endpoint that a container behind the proxy has, written as the document has it: its erratum is shown, or it
    is not confirmed, and not refuted by one run.
    """
    against, written = list(contrary(found)), "written was the proxy's endpoint, by which pods reach any instance "
    written += f"({found.written.steps.told})"
    return Finding(
        id="procedure.as_written",
        claim="dr.restore.step2",
        verdict=Verdict.INCONCLUSIVE if against else Verdict.ERRATUM_SHOWN,
        samples=found.written.seen.probes,
        reason=f"{written}; that it changes nothing (erratum dr.configmap_changes_nothing) is not confirmed: "
        f"{'; '.join(against)}"
        if against
        else f"{written}; it changes nothing, as erratum dr.configmap_changes_nothing says",
    )


def _own_address(own_network: bool) -> Finding:
    """The other thing that the step may mean, the new instance's own address in db_host, which passes the proxy by."""
    why = (
        "Cloud SQL lets a client in by that address from authorised networks and by its own certificates alone; the "
        "PostgreSQL that stands in here asks for neither, so that pods reach it would say nothing"
        if own_network
        else "every instance here has the address 127.0.0.1 and a port of its own, and the step names no port: the new "
        "instance's address is that of the lost one"
    )
    return Finding(
        id="procedure.own_address",
        claim="dr.restore.step2",
        verdict=Verdict.NOT_EXERCISED,
        reason=f"the new instance's own address in db_host was not written: {why}",
    )


def _as_corrected(found: OnStack) -> Finding:
    corrected, good = found.corrected, found.after.good if found.after is not None else 0
    wrong = []
    if corrected.first_good_s is None:
        wrong.append(f"no good answer in {corrected.waited_s:.0f} s, none of {corrected.seen.probes} probes was good")
    elif not good:
        wrong.append("a good answer came, but none after the restart")
    if not corrected.sessions:
        wrong.append("the pods had no session on the new instance")
    reason = "the sidecar's instance changed in the Deployment: "
    return Finding(
        id="procedure.as_corrected",
        claim="dr.restore.step2",
        verdict=Verdict.FAIL if wrong else Verdict.PASS,
        value=corrected.first_good_s,
        samples=corrected.seen.probes if found.after is None else found.after.probes,
        reason=reason
        + (
            "; ".join(wrong)
            or f"the first good answer after so long, {corrected.sessions} sessions on the new instance"
        ),
    )


def _restart(plan: RecoveryPlan, found: OnStack) -> Finding:
    restart = found.restart
    verdict, reason = (Verdict.INCONCLUSIVE, _NOT_REACHED) if restart is None else _in_order(restart, plan.restart_s)
    complete = restart is not None and not restart.why
    return Finding(
        id="procedure.restart",
        claim="dr.restore.step3",
        verdict=verdict,
        value=restart.took_s if restart is not None and complete else None,
        bound=None if restart is None or complete else restart.took_s,
        limit=plan.restart_s,
        samples=0 if restart is None else restart.seen.requests,
        reason=reason,
    )


def _in_order(restart: Restart, limit_s: float) -> tuple[Verdict, str]:
    """The verdict and its reason. One that did not complete is only known to take longer, as with ``rto_of``."""
    seen, verdict = restart.seen, within(restart.took_s, limit_s)
    failed = f"{seen.errors} of {seen.requests} requests failed"
    late = (
        f"not complete in {restart.took_s:.0f} s, so it takes longer than this: {restart.why}; " if restart.why else ""
    )
    if seen.requests and ratio_lower(seen.errors, seen.requests) > MOST_FAILED:
        return Verdict.FAIL, f"{late}an outage, not a restart in order: {failed}"
    if verdict is Verdict.PASS and not seen.requests:
        return Verdict.INCONCLUSIVE, f"{late}no request was due in its {restart.took_s:.0f} s"
    if late:
        return Verdict.INCONCLUSIVE if verdict is Verdict.PASS else verdict, f"{late}{failed}"
    room = "5-10 min has room for images and nodes, which this environment does not fetch"
    return verdict, f"restarted in order under load, {failed}; {room}"


def _available(plan: RecoveryPlan, after: Seen | None) -> Finding:
    wanted, verdict = plan.traffic.available_above, Verdict.INCONCLUSIVE
    if after is not None and after.bound is not None and after.bound > wanted:
        verdict = Verdict.PASS
    elif after is not None and after.availability is not None and after.availability < wanted:
        verdict = Verdict.FAIL
    return Finding(
        id="traffic.after",
        claim="dr.restore.step3",
        verdict=verdict,
        value=None if after is None else after.availability,
        bound=None if after is None else after.bound,
        limit=wanted,
        unit="ratio",
        samples=0 if after is None else after.probes,
        reason=_NOT_REACHED if after is None else f"{after.good} of {after.probes} probes good",
    )


def _users(plan: RecoveryPlan, after: Seen | None) -> Finding:
    """The users' errors by their bounds: below the limit, above it, or too near or too few to tell."""
    limit, verdict = plan.traffic.errors_below, Verdict.INCONCLUSIVE
    value = upper = None
    reason = _NOT_REACHED if after is None else "no request was due"
    if after is not None and after.requests:
        value, upper = after.errors / after.requests, ratio_upper(after.errors, after.requests)
        if upper < limit:
            verdict = Verdict.PASS
        elif ratio_lower(after.errors, after.requests) > limit:
            verdict = Verdict.FAIL
        reason = (
            f"{after.errors} of {after.requests} requests of the users failed; the limit is the rollout's of week 1"
        )
    return Finding(
        id="traffic.users",
        claim="dr.restore.step3",
        verdict=verdict,
        value=value,
        bound=upper,
        limit=limit,
        unit="ratio",
        samples=0 if after is None else after.requests,
        reason=reason,
    )
