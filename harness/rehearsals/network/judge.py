"""Who reaches whom: allowed paths must work under the policies, all others must not, and have to have worked before.

Pure. A path is asked by real pods in rounds: ``before`` (no policy), ``after`` (policies applied, the same pods),
``replaced`` (new pods of the target, started under the policies).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from harness.judge import bounds
from harness.judge.window import NS
from harness.model.evidence import EventRow, RequestRow
from harness.model.evidence import Outcome as Answer
from harness.model.stack import PodState
from harness.model.verdict import Verdict
from harness.rehearsals.network.types import Attempt, Client, NetworkFinding, NetworkPath, PathResult, Place, Round

POLICY = "security.network.policy"
PHASE_4 = "manifest.phase4_added"
FEW_PATHS = "strategy.versus.network"
#: Places that are pods of somebody else's, or the target's own others.
_PODS = (Place.OTHER_POD, Place.STRANGER, Place.FOREIGN)


def as_wanted(paths: Iterable[NetworkPath], asked: Round) -> bool:
    """Whether every path of the round is as the policies mean it."""
    return all(_fits(path, _of(path, asked)) for path in paths)


def path_result(path: NetworkPath, before: Round | None, after: Round | None, replaced: Round | None) -> PathResult:
    """One path over the rounds; a round that was not asked leaves it inconclusive."""
    rounds = {"before": before, "after": after, "replaced": replaced}
    asked = {name: _of(path, each) if each is not None else [] for name, each in rounds.items()}
    verdict, reason = _judged(path, asked)
    told = {name: _told(attempts) for name, attempts in asked.items()}
    return PathResult(
        path=path.name, allowed=path.allowed, why=path.why, verdict=verdict, reason=reason,
        before=told["before"], after=told["after"], replaced=told["replaced"],
    )  # fmt: skip


def paths_finding(results: Sequence[PathResult], *, allowed: bool) -> NetworkFinding:
    """The allowed paths together, or the refused ones."""
    chosen = [each for each in results if each.allowed is allowed]
    good = [each for each in chosen if each.verdict is Verdict.PASS]
    word = "work" if allowed else "are refused, and worked before"
    return NetworkFinding(
        check="paths.allowed" if allowed else "paths.refused",
        claim=POLICY,
        verdict=_worst([each.verdict for each in chosen]),
        value=f"{len(good)} of {len(chosen)}",
        reason=f"{len(good)} of {len(chosen)} paths {word}",
        examples=tuple(f"{each.path}: {each.reason}" for each in chosen if each.verdict is not Verdict.PASS),
    )


def kubelet(
    rows: Sequence[EventRow], applied_ns: int | None, replaced_ns: int | None, *, wanted: int, trouble: str = ""
) -> NetworkFinding:
    """The kubelet's probes pass: no pod lost its readiness from ``applied_ns`` to ``replaced_ns``, and ``wanted`` pods
    that were started after it became ready. ``trouble`` is why they did not."""

    def found(verdict: Verdict, value: str, reason: str) -> NetworkFinding:
        return NetworkFinding(check="kubelet.probes", claim=POLICY, verdict=verdict, value=value, reason=reason)

    if applied_ns is None:
        return found(Verdict.INCONCLUSIVE, "", "the policies were not applied")
    lost = _lost_readiness(rows, applied_ns, replaced_ns)
    if lost:
        return found(Verdict.FAIL, f"{len(lost)} pods", f"not ready any more under the policies: {', '.join(lost)}")
    if trouble:
        return found(Verdict.FAIL, "0 pods", f"pods started under the policies did not become ready: {trouble}")
    if replaced_ns is None:
        return found(Verdict.INCONCLUSIVE, "", "no pod was started under the policies")
    fresh = _ready_first_seen_after(rows, replaced_ns)
    held_s = (replaced_ns - applied_ns) / NS
    reason = (
        f"no pod lost its readiness in {held_s:.0f} s under the policies; {len(fresh)} of {wanted} pods started under "
        "them became ready, which needs the kubelet's probe and the database behind /ready"
    )
    return found(Verdict.PASS if len(fresh) >= wanted else Verdict.INCONCLUSIVE, f"{len(fresh)} pods", reason)


def users(requests: Iterable[RequestRow], since_ns: int, until_ns: int, most_failed: float) -> NetworkFinding:
    """Users through the Service while the policies came into force: less than ``most_failed`` (0..1) fails, at 95 %."""
    due = [row for row in requests if since_ns <= row.due_ns < until_ns]
    failed = sum(row.outcome is not Answer.OK for row in due)
    if not due:
        verdict, reason = Verdict.INCONCLUSIVE, "no request was sent under the policies"
    else:
        upper, lower = bounds.ratio_upper(failed, len(due)), bounds.ratio_lower(failed, len(due))
        verdict = Verdict.INCONCLUSIVE
        if upper < most_failed:
            verdict = Verdict.PASS
        elif lower > most_failed:
            verdict = Verdict.FAIL
        reason = (
            f"{failed} of {len(due)} requests through the Service failed while the policies came into force and held "
            f"(at most {upper * 100:.2f} % at 95 %, limit {most_failed * 100:g} %)"
        )
    return NetworkFinding(
        check="users.service", claim=POLICY, verdict=verdict, value=f"{failed} of {len(due)}" if due else "",
        reason=reason,
    )  # fmt: skip


def opt_in(before: Sequence[str] | None, after: Sequence[str] | None, wanted: Sequence[str]) -> NetworkFinding:
    """The namespace's policies by name: none by default, those of the component once it is asked for."""
    verdict, reason = Verdict.INCONCLUSIVE, "the policies were not listed"
    if before is not None and after is not None:
        kept = bool(wanted) and not before and sorted(after) == sorted(wanted)
        verdict = Verdict.PASS if kept else Verdict.FAIL
        reason = f"without the component: {_listed(before)}; with it: {_listed(after)}"
    return NetworkFinding(
        check="component.opt_in", claim=PHASE_4, verdict=verdict,
        value="" if after is None else f"{len(after)} policies", reason=reason,
    )  # fmt: skip


def few_paths(results: Sequence[PathResult]) -> NetworkFinding:
    """Little traffic between pods is needed: the target works with every path from it to other pods refused."""
    pods = [each for each in results if each.path in {f"{Client.TARGET} → {place}" for place in _PODS}]
    needed = [each for each in results if each.path.startswith(f"{Client.TARGET} →") and each.allowed]
    names = ", ".join(each.path.partition("→ ")[2] for each in needed)
    verdict = _worst([each.verdict for each in (*pods, *needed)])
    reason = f"the target's pods need: {names or 'nothing'}; no way to any other pod but DNS"
    if verdict is not Verdict.PASS:
        reason = "not every path that they need works, or one to another pod is open; see the paths"
    return NetworkFinding(
        check="paths.needed", claim=FEW_PATHS, verdict=verdict,
        value=f"{len(needed)} paths", reason=reason,
    )  # fmt: skip


def not_exercised(reason: str) -> list[NetworkFinding]:
    """Every check, not exercised for ``reason``."""
    checks = (
        ("paths.allowed", POLICY), ("paths.refused", POLICY), ("kubelet.probes", POLICY), ("users.service", POLICY),
        ("component.opt_in", PHASE_4), ("paths.needed", FEW_PATHS),
    )  # fmt: skip
    return [
        NetworkFinding(check=check, claim=claim, verdict=Verdict.NOT_EXERCISED, value="", reason=reason)
        for check, claim in checks
    ]


def _judged(path: NetworkPath, asked: dict[str, list[Attempt]]) -> tuple[Verdict, str]:
    for name, attempts in asked.items():
        if not attempts:
            return Verdict.INCONCLUSIVE, f"not asked {_ROUNDS[name]}"
    without = [each for each in asked["before"] if not each.outcome.works]
    under = [*asked["after"], *asked["replaced"]]
    if path.allowed:
        bad = [each for each in under if not each.outcome.works]
        if bad and without:
            return Verdict.INCONCLUSIVE, f"it did not work without the policies either: {_example(without)}"
        return (Verdict.FAIL, f"kept out under the policies: {_example(bad)}") if bad else (Verdict.PASS, "it works")
    bad = [each for each in under if not each.outcome.kept_out]
    if bad:
        return Verdict.FAIL, f"let through under the policies: {_example(bad)}"
    if without:
        return Verdict.INCONCLUSIVE, f"it did not work without the policies: {_example(without)}"
    return Verdict.PASS, "it worked without the policies and is refused under them"


_ROUNDS = {
    "before": "without the policies",
    "after": "under the policies",
    "replaced": "of pods started under the policies",
}


def _fits(path: NetworkPath, attempts: Sequence[Attempt]) -> bool:
    right: Callable[[Attempt], bool] = (
        (lambda each: each.outcome.works) if path.allowed else (lambda each: each.outcome.kept_out)
    )
    return bool(attempts) and all(right(each) for each in attempts)


def _of(path: NetworkPath, asked: Round) -> list[Attempt]:
    return [each for each in asked.attempts if (each.client, each.place) == (path.client, path.place)]


def _told(attempts: Sequence[Attempt]) -> str:
    return ", ".join(sorted({str(each.outcome) for each in attempts}))


def _example(attempts: Sequence[Attempt]) -> str:
    first = attempts[0]
    others = f" and {len(attempts) - 1} more" if len(attempts) > 1 else ""
    return f"{first.pod} to {first.address} {first.outcome}{others}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS if verdicts else Verdict.INCONCLUSIVE


def _lost_readiness(rows: Iterable[EventRow], since_ns: int, until_ns: int | None) -> list[str]:
    ready: set[str] = set()
    lost = []
    for row in rows:
        if row.kind != "pod" or (until_ns is not None and row.at_ns >= until_ns):
            continue
        if row.data["state"] == PodState.READY:
            ready.add(row.subject)
        elif row.subject in ready:
            ready.discard(row.subject)
            if row.at_ns >= since_ns:
                lost.append(row.subject)
    return lost


def _ready_first_seen_after(rows: Iterable[EventRow], since_ns: int) -> list[str]:
    first: dict[str, int] = {}
    ready = set()
    for row in rows:
        if row.kind == "pod":
            first.setdefault(row.subject, row.at_ns)
            if row.data["state"] == PodState.READY and first[row.subject] >= since_ns:
                ready.add(row.subject)
    return sorted(ready)
