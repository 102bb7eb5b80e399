"""What ``report.html`` shows, gathered from a run, the register of claims and the evidence: words and numbers only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.model.claim import Claim, Erratum
from harness.model.rollout_run import WeekRun
from harness.model.run import Run, WindowSummary
from harness.model.stack import Capability
from harness.model.units import Unit
from harness.model.verdict import CheckResult, CriterionResult, ErratumSeen
from harness.report import words
from harness.report.language import Language
from harness.report.queries import value_query


@dataclass(frozen=True)
class CriterionView:
    """A criterion as the table shows it, and the SQL that reproduces its value."""

    result: CriterionResult
    sign: str
    verdict: str
    kind: str
    rule: str
    value: str
    bound: str
    reason: str
    query: str | None
    chance: str = ""  # how often the limit fires by chance alone


@dataclass(frozen=True)
class ClaimView:
    """A claim that the run refers to; ``claim`` is ``None`` when the register does not know it."""

    id: str
    claim: Claim | None
    how: str
    judged: str
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class ErratumView:
    """An erratum that the run saw; ``why`` and ``correction`` are "" when the register does not know it, ``seen`` in
    runs that were stored without it."""

    id: str
    why: str = ""
    correction: str = ""
    seen: str = ""


@dataclass(frozen=True)
class FileView:
    """A file of the run's folder; ``href`` is relative and quoted."""

    name: str
    href: str
    size: str


def criteria(run: Run, say: Language, *, stretch_s: float) -> list[CriterionView]:
    """The table of criteria, in the scenario's order."""
    return [
        CriterionView(
            result=criterion,
            sign=words.VERDICT_SIGN[criterion.verdict],
            verdict=words.verdict_word(criterion, say),
            kind=say(words.KIND[criterion.kind]),
            rule=words.rule_words(criterion, say),
            value=words.measured(criterion, criterion.value, say),
            bound=words.measured(criterion, criterion.bound, say),
            reason=words.reason_words(criterion, say),
            query=value_query(run, criterion, stretch_s=stretch_s),
            chance=words.chance_words(run, criterion, say),
        )
        for criterion in run.criteria
    ]


@dataclass(frozen=True)
class CheckView:
    """A check as the table shows it."""

    result: CheckResult
    sign: str
    verdict: str
    word: str
    figures: str
    reason: str


def checks(run: Run, say: Language) -> list[CheckView]:
    """The table of checks."""
    return [
        CheckView(
            result=check,
            sign=words.VERDICT_SIGN[check.verdict],
            verdict=say(words.VERDICT[check.verdict]),
            word=words.check_word(check, say),
            figures=words.check_figures(check, say),
            reason=words.reason_words(check, say),
        )
        for check in run.checks
    ]


def claims_met(run: Run, register: Mapping[str, Claim], say: Language) -> list[ClaimView]:
    """The claims that the run refers to, each with the verdicts on it."""
    return [
        ClaimView(
            id=claim_id,
            claim=(claim := register.get(claim_id)),
            how=say(claim.how) if claim else "",
            judged=say(words.JUDGED[claim.judged]) if claim else "",
            verdicts=(
                *(words.verdict_word(c, say) for c in run.criteria if c.claim == claim_id),
                *(say(words.VERDICT[c.verdict]) for c in run.checks if claim_id in c.claims),
            ),
        )
        for claim_id in claim_ids(run)
    ]


def claim_ids(run: Run | WeekRun) -> list[str]:
    """The claims that the scenario names, and those that were judged."""
    judged = [*(c.claim for c in run.criteria), *(claim for check in run.checks for claim in check.claims)]
    return list(dict.fromkeys([*run.claims, *judged]))


def errata(runs: Iterable[Run | WeekRun], register: Mapping[str, Claim], say: Language) -> list[ErratumView]:
    """The errata that the runs saw: each once, with what the first of them saw."""
    runs = list(runs)
    seen = [erratum for run in runs for erratum in run.errata_seen]
    known = {erratum.id for erratum in seen}
    seen += [ErratumSeen(id=each, seen="") for run in runs for each in run.errata if each not in known]
    return errata_views(seen, register, say)


def errata_views(seen: Iterable[ErratumSeen], register: Mapping[str, Claim], say: Language) -> list[ErratumView]:
    """Each erratum once, with what was seen of it and what the register says."""
    known = {erratum.id: erratum for claim in register.values() for erratum in claim.errata}
    first = {erratum.id: erratum for erratum in reversed(list(seen))}
    return [_erratum(erratum, known.get(erratum.id), say) for erratum in reversed(list(first.values()))]


def _erratum(seen: ErratumSeen, erratum: Erratum | None, say: Language) -> ErratumView:
    told = say.told(seen.told, seen.seen)
    if erratum is None:
        return ErratumView(id=seen.id, seen=told)
    return ErratumView(id=seen.id, why=say(erratum.why), correction=say(erratum.correction), seen=told)


def capabilities(run: Run, say: Language) -> tuple[list[str], list[str]]:
    """What the rung could do, and what it could not."""
    has = [say(words.CAPABILITY[each]) for each in Capability if each in run.capabilities]
    return has, [say(words.CAPABILITY[each]) for each in Capability if each not in run.capabilities]


def window_heads(windows: Sequence[WindowSummary], say: Language) -> list[str]:
    """The columns of the table of windows: the side, and the window's name where there are several."""
    several = len({window.name for window in windows}) > 1
    return [
        f"{side_word(window, say)}, {words.phase_word(window.name, say)}" if several else side_word(window, say)
        for window in windows
    ]


def side_word(window: WindowSummary, say: Language) -> str:
    """The window's side as people read it."""
    return say(words.SIDE[window.side]) if window.side in words.SIDE else window.side


def window_rows(windows: Sequence[WindowSummary], say: Language) -> list[tuple[str, list[str]]]:
    """The table of windows, a figure a row and a side a column."""
    rows: list[tuple[str, Callable[[WindowSummary], str]]] = [
        (say("requests"), lambda w: f"{w.requests:,}"),
        (say("requests/s"), lambda w: f"{w.requests_per_s:.2f}"),
        (say("latency p50"), lambda w: say.amount(w.latency_p50_ms, Unit.MILLISECONDS)),
        (say("latency p95"), lambda w: say.amount(w.latency_p95_ms, Unit.MILLISECONDS)),
        (say("latency p99"), lambda w: say.amount(w.latency_p99_ms, Unit.MILLISECONDS)),
        (say("error ratio"), lambda w: say.amount(w.error_ratio, Unit.RATIO)),
        ("4xx", lambda w: say.amount(w.ratio_4xx, Unit.RATIO)),
        ("5xx", lambda w: say.amount(w.ratio_5xx, Unit.RATIO)),
        (say("bad seconds"), lambda w: _or_dash(w.bad_seconds, "{:,}")),
        (say("replicas"), lambda w: replicas(w, say)),
        (say("CPU of the pods, mean"), lambda w: _cores(w.cpu_cores_mean, say)),
        (say("memory of the pods, most"), lambda w: _mib(w.memory_bytes_max)),
        (say("generator lag p99"), lambda w: say.amount(w.generator_lag_p99_ms, Unit.MILLISECONDS)),
    ]
    return [(label, [cell(window) for window in windows]) for label, cell in rows]


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _cores(value: float | None, say: Language) -> str:
    return "–" if value is None else say("{cores} cores", cores=f"{value:.2f}")


def _mib(value: float | None) -> str:
    return _or_dash(None if value is None else value / 1024 / 1024, "{:,.0f} MiB")


def replicas(window: WindowSummary, say: Language) -> str:
    """How many pods there were in the window."""
    if window.replicas_min is None:
        return "–"
    if window.replicas_min == window.replicas_max:
        return str(window.replicas_min)
    return say("{least} to {most}", least=str(window.replicas_min), most=str(window.replicas_max))


def files(folder: Path) -> list[FileView]:
    """The run's own files and logs, by name: what the report stands on. Links are relative to the report."""
    found = [path for path in (*folder.glob("*"), *folder.glob("logs/**/*")) if path.is_file()]
    shown = [path for path in found if not path.name.startswith(".") and path.name != "report.html"]
    return [
        FileView(
            name=(relative := path.relative_to(folder).as_posix()),
            href=f"./{quote(relative)}",
            size=_size(path.stat().st_size),
        )
        for path in sorted(shown, key=lambda path: (len(path.parents), path.name))
    ]


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1024:,.0f} KiB" if size_bytes >= 1024 else f"{size_bytes} B"
