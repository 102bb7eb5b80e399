"""A stored run judged again: today's verdicts beside the stored ones, and whether they differ."""

from __future__ import annotations

import msgspec

from harness.document import not_exercised
from harness.evidence.read import read_anchor, read_rows
from harness.judge.decision import decide
from harness.model.errors import Exit
from harness.model.message import Message, message
from harness.model.stack import Capability
from harness.model.verdict import CheckResult, CriterionResult, Decision
from harness.stored.folder import StoredRun
from harness.stored.observe import EMPTY, Observed, observe

JUDGED_SCHEMA_VERSION = 1
_EXIT = {Decision.ADVANCE: Exit.OK, Decision.HOLD: Exit.HOLD, Decision.ROLL_BACK: Exit.ROLLED_BACK}


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion as it was judged and as it is now; ``differs`` names the fields that do. ``None``: not judged."""

    id: str
    stored: CriterionResult | None
    now: CriterionResult | None
    differs: tuple[str, ...]


class Rejudgement(msgspec.Struct, frozen=True, kw_only=True):
    """``judged-<n>.json``. ``decision`` is ``None`` where the run broke: such a run decides nothing but a roll back.

    ``evidence_says`` is what the verdicts would decide by themselves; ``broke`` why the run decided nothing ("" when
    it did); ``rows`` counts the evidence by kind; ``checks_differ`` names the checks that are judged otherwise now.
    """

    schema_version: int
    run_id: str
    scenario: str
    stored_decision: Decision | None
    decision: Decision | None
    evidence_says: Decision
    exit_status: int
    broke: str
    same: bool
    criteria: tuple[Pair, ...]
    window_s: float | None
    rows: dict[str, int]
    checks: tuple[CheckResult, ...] = ()
    checks_differ: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def observed(stored: StoredRun) -> Observed:
    """The run's evidence through today's judge. Raises ``BadInput`` when it is broken."""
    rows, anchor = read_rows(stored.evidence, appended=True), read_anchor(stored.evidence)
    return observe(rows, stored.scenario, _lacking(stored), anchor)


def rejudge(stored: StoredRun, seen: Observed) -> Rejudgement:
    """Sets today's verdicts beside the stored ones. Pure."""
    run = stored.run
    broke = _why_undecided(stored)
    says = decide(seen.results, seen.checks)
    decision = says if not broke or says is Decision.ROLL_BACK else None
    pairs = _pairs(run.criteria if run else (), seen.results)
    differ = _checks_differ(run.checks if run else (), seen.checks)
    return Rejudgement(
        schema_version=JUDGED_SCHEMA_VERSION,
        run_id=stored.run_id,
        scenario=stored.scenario.name,
        stored_decision=run.decision if run else None,
        decision=decision,
        evidence_says=says,
        exit_status=_EXIT[decision] if decision is not None else Exit.HOLD,
        broke=broke,
        same=run is not None and decision is run.decision and not differ and not any(p.differs for p in pairs),
        criteria=pairs,
        checks_differ=differ,
        window_s=None if seen.window == EMPTY else seen.window.seconds,
        rows=seen.rows,
        checks=seen.checks,
        notes=_notes(stored, seen),
    )


def _lacking(stored: StoredRun) -> dict[str, Message]:
    if stored.run is None:  # which capabilities the rung had is said in run.json alone
        unknown = message("which capabilities the environment had is not known")
        return {c.id: unknown for c in stored.scenario.criteria if c.needs}
    known = {str(capability) for capability in Capability}
    return not_exercised(stored.scenario, frozenset(Capability(c) for c in stored.run.capabilities if c in known))


def _why_undecided(stored: StoredRun) -> str:
    if stored.run is None:
        return "there is no run.json: the run was killed before it could report, or is still under way"
    if stored.run.decision is not None:
        return ""
    told = stored.run.errors[0].splitlines()[0] if stored.run.errors else "the run did not finish"
    return f"the run broke: {told}"


def _pairs(stored: tuple[CriterionResult, ...], now: tuple[CriterionResult, ...]) -> tuple[Pair, ...]:
    before, after = {r.id: r for r in stored}, {r.id: r for r in now}
    return tuple(
        Pair(id=id_, stored=before.get(id_), now=after.get(id_), differs=_differing(before.get(id_), after.get(id_)))
        for id_ in dict.fromkeys((*before, *after))
    )


def _differing(stored: CriterionResult | None, now: CriterionResult | None) -> tuple[str, ...]:
    if stored is None or now is None:
        return ("not judged then",) if stored is None else ("not judged now",)
    fields = (field for field in CriterionResult.__struct_fields__ if field != "told")  # the reason, said twice
    return tuple(field for field in fields if getattr(stored, field) != getattr(now, field))


def _checks_differ(stored: tuple[CheckResult, ...], now: tuple[CheckResult, ...]) -> tuple[str, ...]:
    before = {check.id: (check.verdict, check.value) for check in stored}
    return tuple(
        check.id for check in now if before.get(check.id, (check.verdict, check.value)) != (check.verdict, check.value)
    )


def _notes(stored: StoredRun, seen: Observed) -> tuple[str, ...]:
    notes = []
    if seen.window == EMPTY:
        notes.append("no window began: there is nothing to judge")
    elif seen.window != seen.planned:
        notes.append(f"the roll back ended the window after {seen.window.seconds:.1f} s")
    if seen.decided is None and seen.window != EMPTY:
        notes.append("no decision is in evidence: judged on everything there is, as of the last answer")
    if seen.decided is not None and stored.run is not None and stored.run.decision is None:
        notes.append(f"the run had decided to {seen.decided.replace('_', ' ')} before it broke")
    return tuple(notes)
