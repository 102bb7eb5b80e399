"""The document's steps on the stack, judged: as written, as corrected, the restart, the traffic after it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.base.units import Unit
from harness.judge.bounds import ratio_lower, ratio_upper
from harness.judge.lacking import failures_below
from harness.judge.planned import lost_words
from harness.model.judgement import Judgement
from harness.model.message import Message, Told, message, verbatim
from harness.model.verdict import Verdict
from harness.rehearsals.dr_restore.judge_losses import within
from harness.rehearsals.dr_restore.stack_result import OnStack, Restart, contrary
from harness.rehearsals.dr_restore.traffic import Calls
from harness.rehearsals.dr_restore.types import RecoveryPlan

CHANGES_NOTHING = "dr.configmap_changes_nothing"
#: The document says of the restart how long it takes. With most requests failing it is an outage, and no restart.
MOST_FAILED = 0.5


def _not_reached() -> Message:
    return message("not reached: as corrected, no good answer came")


def rto_of(plan: RecoveryPlan, found: OnStack) -> Judgement:
    """Without a good answer the RTO is only known to be longer than what was waited."""
    answered = found.corrected.first_good_s is not None
    verdict = within(found.case.total_s, plan.limits.rto_s)
    if verdict is Verdict.PASS and not answered:
        verdict = Verdict.INCONCLUSIVE
    told = message(
        "detect + restore + replay + switch (the new instance made known to the sidecars in {register} s of it) + "
        "ready, a small database under load, on this machine's disk; left out: nobody had to be woken, the {verify} s "
        "of looking at the restored instance before traffic, the {written} s of the procedure as written",
        register=f"{found.register_s:.2f}",
        verify=f"{found.verify_s:.2f}",
        written=f"{found.written.watched_s:.0f}",
    )
    longer = message(
        "no good answer in {seconds} s, so it is longer than this", seconds=f"{found.corrected.waited_s:.0f}"
    )
    return Judgement(
        id="rto.measured",
        claim="dr.rto",
        verdict=verdict,
        told=(told,) if answered else (longer, told),
        value=found.case.total_s if answered else None,
        bound=None if answered else found.case.total_s,
        limit=plan.limits.rto_s,
        unit=Unit.SECONDS,
        samples=1,
    )


def steps(plan: RecoveryPlan, found: OnStack | None, *, own_network: bool) -> Iterator[Judgement]:
    """Everything about the document's steps; nothing when the stack did not run. ``own_network``: instances have
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


def _as_written(found: OnStack) -> Judgement:
    """The endpoint that a container behind the proxy has, written as the document has it: its erratum is shown, or it
    is not confirmed, and not refuted by one run.
    """
    against = tuple(contrary(found))
    written = message("written was the proxy's endpoint, by which pods reach any instance")
    ends = message("it changes nothing, as erratum {erratum} says", erratum=CHANGES_NOTHING)
    if against:
        ends = message("that it changes nothing (erratum {erratum}) is not confirmed", erratum=CHANGES_NOTHING)
    return Judgement(
        id="procedure.as_written",
        claim="dr.restore.step2",
        verdict=Verdict.INCONCLUSIVE if against else Verdict.ERRATUM_SHOWN,
        told=(written, *found.written.steps.told, ends, *against),
        samples=found.written.seen.probes,
        erratum="" if against else CHANGES_NOTHING,
        seen=() if against else _nothing_changed(found),
    )


def _nothing_changed(found: OnStack) -> Told:
    written, corrected = found.written, found.corrected
    told = [
        message(
            "as written, watched for {seconds} s: the restart did not complete", seconds=f"{written.watched_s:.0f}"
        ),
        *written.steps.told,
        message(
            "none of {probes} probes was good, no pod had a session on the new instance",
            probes=str(written.seen.probes),
        ),
        message("corrected, {sessions} sessions", sessions=str(corrected.sessions)),
    ]
    if written.steps.why:
        told.insert(1, verbatim(written.steps.why))
    if corrected.first_good_s is None:
        return (*told, message("no good answer in {seconds} s", seconds=f"{corrected.waited_s:.0f}"))
    return (*told, message("the first good answer after {seconds} s", seconds=f"{corrected.first_good_s:.1f}"))


def _own_address(own_network: bool) -> Judgement:
    """The other thing that the step may mean, the new instance's own address in db_host, which passes the proxy by."""
    why = message(
        "every instance here has the address 127.0.0.1 and a port of its own, and the step names no port: the new "
        "instance's address is that of the lost one"
    )
    if own_network:
        why = message(
            "Cloud SQL lets a client in by that address from authorised networks and by its own certificates alone; "
            "the PostgreSQL that stands in here asks for neither, so that pods reach it would say nothing"
        )
    return Judgement(
        id="procedure.own_address",
        claim="dr.restore.step2",
        verdict=Verdict.NOT_EXERCISED,
        told=(message("the new instance's own address in db_host was not written"), why),
        gates=False,
    )


def _as_corrected(found: OnStack) -> Judgement:
    corrected = found.corrected
    wrong, last = tuple(_wrong(found)), corrected.seen if corrected.first_good_s is None else found.after
    unseen = (message("of that time most probes are not in evidence"),) if last is not None and _unseen(last) else ()
    well = message(
        "the first good answer after so long, {sessions} sessions on the new instance",
        sessions=str(corrected.sessions),
    )
    return Judgement(
        id="procedure.as_corrected",
        claim="dr.restore.step2",
        verdict=Verdict.FAIL if wrong else Verdict.INCONCLUSIVE if unseen else Verdict.PASS,
        told=(message("the sidecar's instance changed in the Deployment"), *(wrong or unseen or (well,))),
        value=corrected.first_good_s,
        unit=Unit.SECONDS,
        samples=corrected.seen.probes if found.after is None else found.after.probes,
    )


def _unseen(calls: Calls) -> bool:
    return calls.probes_missing > calls.probes


def _wrong(found: OnStack) -> Iterator[Message]:
    corrected = found.corrected
    if corrected.first_good_s is None and not _unseen(corrected.seen):
        yield message(
            "no good answer in {seconds} s, none of {probes} probes was good",
            seconds=f"{corrected.waited_s:.0f}",
            probes=str(corrected.seen.probes),
        )
    elif corrected.first_good_s is not None and (found.after is None or not (found.after.good or _unseen(found.after))):
        yield message("a good answer came, but none after the restart")
    if not corrected.sessions:
        yield message("the pods had no session on the new instance")


def _restart(plan: RecoveryPlan, found: OnStack) -> Judgement:
    restart = found.restart
    verdict = Verdict.INCONCLUSIVE
    told: Told = (_not_reached(),)
    if restart is not None:
        verdict, told = _in_order(restart, plan.limits.restart_s)
    complete = restart is not None and not restart.why
    return Judgement(
        id="procedure.restart",
        claim="dr.restore.step3",
        verdict=verdict,
        told=told,
        value=restart.took_s if restart is not None and complete else None,
        bound=None if restart is None or complete else restart.took_s,
        limit=plan.limits.restart_s,
        unit=Unit.SECONDS,
        samples=0 if restart is None else restart.seen.requests,
    )


def _in_order(restart: Restart, limit_s: float) -> tuple[Verdict, Told]:
    """The verdict and its reason. One that did not complete is only known to take longer, as with ``rto_of``."""
    seen, verdict = restart.seen, within(restart.took_s, limit_s)
    due, lost = seen.requests + seen.requests_missing, lost_words(seen.requests_missing, seen.requests)
    failed = message("{errors} of {requests} requests failed", errors=str(seen.errors), requests=str(seen.requests))
    late: Told = ()
    if restart.why:
        longer = message("not complete in {seconds} s, so it takes longer than this", seconds=f"{restart.took_s:.0f}")
        late = (longer, verbatim(restart.why))
    if seen.requests and ratio_lower(seen.errors, due) > MOST_FAILED:
        return Verdict.FAIL, (*late, message("an outage, not a restart in order"), failed, *lost)
    if verdict is Verdict.PASS and not due:
        nobody = message("no request was due in its {seconds} s", seconds=f"{restart.took_s:.0f}")
        return Verdict.INCONCLUSIVE, (*late, nobody)
    outage = seen.errors + seen.requests_missing > MOST_FAILED * due
    if late or outage:
        return Verdict.INCONCLUSIVE if verdict is Verdict.PASS else verdict, (*late, failed, *lost)
    room = message("5-10 min has room for images and nodes, which this environment does not fetch")
    return verdict, (message("restarted in order under load"), failed, *lost, room)


def _available(plan: RecoveryPlan, after: Calls | None) -> Judgement:
    wanted, verdict = plan.traffic.available_above, Verdict.INCONCLUSIVE
    if after is not None and after.bound is not None and after.bound > wanted:
        verdict = Verdict.PASS
    elif after is not None and after.probes and _at_best(after) < wanted:  # else by chance alone it may be below
        verdict = Verdict.FAIL
    told = _not_reached()
    lost: Told = ()
    if after is not None:
        told = message("{good} of {probes} probes good", good=str(after.good), probes=str(after.probes))
        lost = lost_words(after.probes_missing, after.probes)
    return Judgement(
        id="traffic.after",
        claim="dr.restore.step3",
        verdict=verdict,
        told=(told, *lost),
        value=None if after is None else after.availability,
        bound=None if after is None else after.bound,
        limit=wanted,
        unit=Unit.RATIO,
        samples=0 if after is None else after.probes,
    )


def _at_best(after: Calls) -> float:
    """The most that the availability may be, at 95 %, if every probe that is not in evidence was good."""
    return ratio_upper(after.good + after.probes_missing, after.probes + after.probes_missing)


def _users(plan: RecoveryPlan, after: Calls | None) -> Judgement:
    """The users' errors by their bounds: below the limit, above it, or too near or too few to tell."""
    limit, verdict = plan.traffic.errors_below, Verdict.INCONCLUSIVE
    value = upper = None
    told = _not_reached() if after is None else message("no request was due")
    lost: Told = ()
    if after is not None and after.requests:
        missing, lost = after.requests_missing, lost_words(after.requests_missing, after.requests)
        value, upper = after.errors / after.requests, ratio_upper(after.errors + missing, after.requests + missing)
        verdict, _ = failures_below(limit, after.errors, after.requests, missing)
        told = message(
            "{errors} of {requests} requests of the users failed; the limit is the rollout's of week 1",
            errors=str(after.errors),
            requests=str(after.requests),
        )
    return Judgement(
        id="traffic.users",
        claim="dr.restore.step3",
        verdict=verdict,
        told=(told, *lost),
        value=value,
        bound=upper,
        limit=limit,
        unit=Unit.RATIO,
        samples=0 if after is None else after.requests,
    )
