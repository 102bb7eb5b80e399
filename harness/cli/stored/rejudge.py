"""A stored run judged again: today's verdicts beside the stored ones, and whether they differ."""

from __future__ import annotations

from collections import Counter

import msgspec

from harness.base.errors import Exit
from harness.cli.stored.again import judge_again
from harness.cli.stored.folder import StoredRun
from harness.model.judgement import Decision, Judgement
from harness.model.message import Message, first_line, message
from harness.model.stack import EnvironmentKind
from harness.rules.judged import combine, exit_status

JUDGED_SCHEMA_VERSION = 2
#: What makes two judgements differ; not how they are said beside their reason.
FIELDS = (
    "kind", "verdict", "claim", "also", "value", "bound", "limit", "unit", "samples", "gates", "erratum", "reason",
    "fired_at_ns",
)  # fmt: skip


class JudgementPair(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement as it was made and as it is made now; ``differs`` names the fields that do. ``None``: not judged."""

    part: str
    id: str
    stored: Judgement | None
    now: Judgement | None
    differs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The part and the id."""
        return f"{self.part}: {self.id}" if self.part else self.id


class Rejudgement(msgspec.Struct, frozen=True, kw_only=True):
    """``judged-<n>.json``. ``decision`` is ``None`` where the run broke: such a run decides nothing but a roll back.

    ``decides``: the decisions are those of the rollout. ``evidence_says`` is what the verdicts would decide by
    themselves; ``broke`` why the run decided nothing ("" when it did); ``rows`` counts the evidence by kind.
    """

    schema_version: int
    run_id: str
    rehearsal: str
    plan: str
    rung: EnvironmentKind
    decides: bool
    stored_decision: Decision | None
    decision: Decision | None
    evidence_says: Decision
    exit_status: int
    broke: Message | None
    same: bool
    judgements: tuple[JudgementPair, ...]
    rows: dict[str, int]


def rejudge(run: StoredRun) -> Rejudgement:
    """Sets today's verdicts beside the stored ones. Raises ``BadInput`` where what the run left cannot be judged."""
    now = judge_again(run, run.seen())
    result, broke = run.result, _why_undecided(run)
    says = combine(now)
    decision = says if broke is None or says is Decision.ROLL_BACK else None
    pairs = _pairs(result.judgements, now)
    differ = any(pair.differs for pair in pairs)
    return Rejudgement(
        schema_version=JUDGED_SCHEMA_VERSION,
        run_id=result.run_id,
        rehearsal=result.rehearsal,
        plan=result.plan,
        rung=result.facts.rung,
        decides=result.decides,
        stored_decision=result.decision,
        decision=decision,
        evidence_says=says,
        exit_status=int(_exit_status(run, decision)),
        broke=broke,
        same=not run.killed and decision is result.decision and not differ,
        judgements=pairs,
        rows=_counted(run),
    )


def _exit_status(run: StoredRun, decision: Decision | None) -> Exit:
    """As if the run ended today: what befell it and what it left are facts, whatever its judgements say now."""
    result = run.result
    broke = [each for each in Exit if result.facts.errors and each == result.exit_status]
    return exit_status(decision, broke, leaks=bool(result.facts.leaks))


def _counted(run: StoredRun) -> dict[str, int]:
    return dict(sorted(Counter(str(type(row).__struct_config__.tag) for row in run.evidence.rows).items()))


def _why_undecided(run: StoredRun) -> Message | None:
    if run.killed:
        return message("the run was killed before it could report, or is still under way: its own facts are missing")
    if errors := run.result.facts.errors_told or run.result.facts.errors:
        return message("the run broke: {why}", why=first_line(errors[0]))
    return None if run.result.decision is not None else message("the run did not finish")


def _pairs(stored: tuple[Judgement, ...], now: tuple[Judgement, ...]) -> tuple[JudgementPair, ...]:
    before, after = {each.key: each for each in stored}, {each.key: each for each in now}
    return tuple(
        JudgementPair(
            part=key[0],
            id=key[1],
            stored=before.get(key),
            now=after.get(key),
            differs=_differing(before.get(key), after.get(key)),
        )
        for key in dict.fromkeys((*before, *after))
    )


def _differing(stored: Judgement | None, now: Judgement | None) -> tuple[str, ...]:
    if stored is None or now is None:
        return ("not judged then",) if stored is None else ("not judged now",)
    return tuple(field for field in FIELDS if getattr(stored, field) != getattr(now, field))
