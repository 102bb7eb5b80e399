"""What is read of a stored run for its bill: its result, evidence, and what its pods logged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from harness.base.clock import NS
from harness.base.errors import BadInput
from harness.evidence.store import Gathered, stored
from harness.model.evidence import Operation, Outcome, ProbeRow, RequestRow, SampleRow, Side
from harness.model.result import Result
from harness.model.stack import NEVER_RAN, EnvironmentKind
from harness.rehearsals.cost.types import MeasuredUsage
from harness.report.latest import results
from harness.report.published import RESULT, RESULT_JSON
from harness.report.signoff.counting import broken


def newest(reports: Path, plan: str) -> Path | None:
    """The folder of the newest real run of ``plan`` without faults below ``reports`` that reported, the runs of
    sequences among them; ``None`` without one."""
    found: dict[str, Path] = {}
    for path in results(reports):
        if plan not in path.parent.name:
            continue  # a run's folder is named by its plan
        result = _read(path)
        if result is not None and result.plan == plan and _counts(result):
            found[result.facts.started_utc] = path.parent
    return found[max(found)] if found else None


def _against(result: Result) -> bool:
    """Whether it broke, is under way, was killed, or was less than the whole bundled plan."""
    facts = result.facts
    return result.exit_status is None or bool(broken(result) or facts.own or facts.only or facts.smaller)


def _counts(result: Result) -> bool:
    facts = result.facts
    return facts.rung is not EnvironmentKind.SIM and not facts.injected and result.exit_status is not None


def _read(path: Path) -> Result | None:
    try:
        return RESULT.read(path)
    except BadInput:
        return None


def read(folder: Path) -> MeasuredUsage:
    """The run in ``folder``. Raises ``BadInput`` when it is none, or its evidence is broken."""
    result = RESULT.read(folder / RESULT_JSON)
    evidence = stored(folder, result.evidence_digest)
    return measured(result, evidence, logged(folder, evidence))


def logged(folder: Path, evidence: Gathered) -> int | None:
    """The bytes that the pods and their sidecars wrote into the folder's logs; ``None`` where not every pod that ran
    has one."""
    logs, told = folder / "logs", [row for row in evidence.events if row.kind == "pod"]
    ran = {row.subject for row in told if row.data.get("state") not in NEVER_RAN}
    if not ran or not all((logs / f"{pod}.log").is_file() for pod in ran):
        return None
    return sum(path.stat().st_size for pod in {row.subject for row in told} for path in _logs_of(logs, pod))


def _logs_of(logs: Path, pod: str) -> Iterator[Path]:
    yield from logs.glob(f"{pod}.log")
    yield from logs.glob(f"{pod}.*.log")


def measured(result: Result, evidence: Gathered, log_bytes: int | None) -> MeasuredUsage:
    """From the rows of a run. Pure."""
    to_api, kept = [row for row in evidence.requests if row.side is Side.API], evidence.writes.kept
    calls: list[RequestRow | ProbeRow] = [*to_api, *evidence.probes]
    begin_ns = min((call.sent_ns for call in calls), default=0)
    end_ns = max((call.done_ns for call in calls), default=0)
    facts = result.facts
    return MeasuredUsage(
        run_id=result.run_id,
        rehearsal=result.rehearsal,
        plan=result.plan,
        rung=str(facts.rung),
        target=facts.target,
        target_digest=facts.target_digest,
        started_utc=facts.started_utc,
        broke=bool(_against(result) or evidence.ledger.measurement_errors),
        seconds=(end_ns - begin_ns) / NS,
        users=len({row.user for row in to_api}),
        requests=len(calls),
        walks=sum(row.operation is Operation.CREATE_WALK and row.acknowledged for row in to_api),
        kept_walks=len(kept[Side.API]),
        photo_walks=len(kept[Side.API].keys() | kept[Side.FIRESTORE].keys()),
        pods=mean(evidence.samples, "replicas", begin_ns, end_ns),
        log_bytes=log_bytes,
        database_bytes=_last(evidence.samples, "stored_bytes", "database"),
        photo_bytes=_last(evidence.samples, "stored_bytes", "photos"),
        connections=_last(evidence.samples, "connections", "database"),
        max_connections=_last(evidence.samples, "max_connections", "database"),
        injected=bool(facts.injected),
        failed=sum(call.outcome is not Outcome.OK for call in calls),
    )


def mean(samples: Iterable[SampleRow], metric: str, begin_ns: int, end_ns: int) -> float | None:
    """Of ``metric`` over time, each sample counting until the next; ``None`` where none was taken before the end."""
    rows = sorted((row.at_ns, row.value) for row in samples if row.metric == metric and row.at_ns < end_ns)
    before = [value for at_ns, value in rows if at_ns <= begin_ns][-1:]
    within = [(at_ns, value) for at_ns, value in rows if at_ns > begin_ns]
    course = [*((begin_ns, value) for value in before or [value for _, value in within[:1]]), *within]
    if not course or end_ns <= begin_ns:
        return None
    spans = pairwise([*course, (end_ns, course[-1][1])])
    return sum(value * (until_ns - at_ns) for (at_ns, value), (until_ns, _) in spans) / (end_ns - begin_ns)


def _last(samples: Sequence[SampleRow], metric: str, subject: str) -> int | None:
    found = [row.value for row in samples if row.metric == metric and row.subject == subject]
    return round(found[-1]) if found else None
