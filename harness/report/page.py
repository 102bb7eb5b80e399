"""What ``report.html`` shows, gathered from a run, the register of claims and the evidence: words and numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.model.claim import Claim, Erratum
from harness.model.run import Run, WindowSummary
from harness.model.stack import Capability
from harness.model.units import Unit, show
from harness.model.verdict import CriterionResult
from harness.report import words
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
    query: str | None


@dataclass(frozen=True)
class ClaimView:
    """A claim that the run refers to; ``claim`` is ``None`` when the register does not know it."""

    id: str
    claim: Claim | None
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class FileView:
    """A file of the run's folder; ``href`` is relative and quoted."""

    name: str
    href: str
    size: str


def criteria(run: Run, *, stretch_s: float) -> list[CriterionView]:
    """The table of criteria, in the scenario's order."""
    return [
        CriterionView(
            result=criterion,
            sign=words.VERDICT_SIGN[criterion.verdict],
            verdict=words.verdict_word(criterion),
            kind=words.KIND[criterion.kind],
            rule=f"{words.metric_word(criterion.metric)} {words.threshold_words(criterion)}",
            value=words.measured(criterion, criterion.value),
            bound=words.measured(criterion, criterion.bound),
            query=value_query(run, criterion, stretch_s=stretch_s),
        )
        for criterion in run.criteria
    ]


def claims_met(run: Run, register: Mapping[str, Claim]) -> list[ClaimView]:
    """The claims that the run refers to, each with the verdicts on it."""
    ids = dict.fromkeys([*run.claims, *(c.claim for c in run.criteria), *(check.claim for check in run.checks)])
    return [
        ClaimView(
            id=claim_id,
            claim=register.get(claim_id),
            verdicts=(
                *(words.verdict_word(c) for c in run.criteria if c.claim == claim_id),
                *(words.VERDICT[c.verdict] for c in run.checks if c.claim == claim_id),
            ),
        )
        for claim_id in ids
    ]


def errata(run: Run, register: Mapping[str, Claim]) -> list[tuple[str, Erratum | None]]:
    """The errata that the run met; ``None`` where the register does not know the id (then the id is the text)."""
    known = {erratum.id: erratum for claim in register.values() for erratum in claim.errata}
    met = [erratum.id for view in claims_met(run, register) if view.claim for erratum in view.claim.errata]
    return [(erratum_id, known.get(erratum_id)) for erratum_id in dict.fromkeys([*run.errata, *met])]


def capabilities(run: Run) -> tuple[list[str], list[str]]:
    """What the rung could do, and what it could not."""
    has = [words.CAPABILITY[each] for each in Capability if each in run.capabilities]
    return has, [words.CAPABILITY[each] for each in Capability if each not in run.capabilities]


def window_rows(windows: Sequence[WindowSummary]) -> list[tuple[str, list[str]]]:
    """The table of windows, a figure a row and a side a column."""
    return [
        ("requests", [f"{w.requests:,}" for w in windows]),
        ("requests/s", [f"{w.requests_per_s:.2f}" for w in windows]),
        ("latency p50", [_ms(w.latency_p50_ms) for w in windows]),
        ("latency p95", [_ms(w.latency_p95_ms) for w in windows]),
        ("latency p99", [_ms(w.latency_p99_ms) for w in windows]),
        ("error ratio", [_ratio(w.error_ratio) for w in windows]),
        ("4xx", [_ratio(w.ratio_4xx) for w in windows]),
        ("5xx", [_ratio(w.ratio_5xx) for w in windows]),
        ("bad seconds", [_or_dash(w.bad_seconds, "{:,}") for w in windows]),
        ("replicas", [_replicas(w) for w in windows]),
        ("CPU of the pods, mean", [_or_dash(w.cpu_cores_mean, "{:.2f} cores") for w in windows]),
        ("memory of the pods, most", [_mib(w.memory_bytes_max) for w in windows]),
        ("generator lag p99", [_ms(w.generator_lag_p99_ms) for w in windows]),
    ]


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _ms(value: float | None) -> str:
    return words.amount(value, Unit.MILLISECONDS)


def _ratio(value: float | None) -> str:
    return "–" if value is None else show(value, Unit.RATIO)


def _mib(value: float | None) -> str:
    return _or_dash(None if value is None else value / 1024 / 1024, "{:,.0f} MiB")


def _replicas(window: WindowSummary) -> str:
    if window.replicas_min is None:
        return "–"
    if window.replicas_min == window.replicas_max:
        return str(window.replicas_min)
    return f"{window.replicas_min} to {window.replicas_max}"


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
