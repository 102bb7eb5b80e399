"""A run's evidence as what Prometheus would have scraped of it, in the document's own time. Pure.

The course of a drill whose minutes were divided is stretched back: what lasted 20 s there lasts 5 minutes here, so that
rules with the document's durations and windows are asked as they are. What users saw is told as the API's own counters,
but for what nobody answered, which it cannot count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar

import msgspec

from harness.base.clock import NS
from harness.evidence.gathered import Gathered
from harness.model.evidence import ProbeRow, RequestRow
from harness.rehearsals.alert_drill import history
from harness.rehearsals.alert_drill.exporter import Seen, pasts
from harness.rehearsals.alert_drill.theirs.facts import SCRAPE_S, Stretch
from harness.rehearsals.alert_drill.types import PROBES, TARGET, USERS, AlertDrillDetails, AlertDrillPlan

Samples: TypeAlias = dict[str, list[tuple[float, str]]]
R = TypeVar("R", RequestRow, ProbeRow)


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """From ``begin_ns`` to ``end_ns`` (monotonic) of a run, of which each second is ``scale`` here; it ends at
    ``end_unix_s``. ``trials`` are its breaches; ``plan`` and ``drill`` are a drill's own, whose days before are made.
    """

    begin_ns: int
    end_ns: int
    end_unix_s: float
    scale: float = 1.0
    trials: tuple[tuple[str, int, int], ...] = ()
    plan: AlertDrillPlan | None = None
    drill: AlertDrillDetails | None = None

    @property
    def emitted(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """What a drill's Prometheus had scraped of the target itself; {} of any other run."""
        return {} if self.drill is None else self.drill.emitted

    @property
    def seconds(self) -> float:
        """How long it is here."""
        return (self.end_ns - self.begin_ns) / NS * self.scale

    @property
    def begin_unix_s(self) -> float:
        """When it begins here."""
        return self.end_unix_s - self.seconds

    def since_begin_s(self, at_ns: int) -> float:
        """A moment of the run, here."""
        return (at_ns - self.begin_ns) / NS * self.scale

    def stretches(self) -> tuple[Stretch, ...]:
        """Its breaches, here."""
        return tuple(
            Stretch(name=name, begin_s=self.since_begin_s(begun_ns), end_s=self.since_begin_s(ended_ns))
            for name, begun_ns, ended_ns in self.trials
        )


def of_drill(plan: AlertDrillPlan, details: AlertDrillDetails, end_unix_s: float) -> Course:
    """The course of a drill."""
    return Course(
        begin_ns=details.origin_ns, end_ns=details.asked_ns, end_unix_s=end_unix_s, scale=plan.scale, plan=plan,
        drill=details, trials=tuple((each.trial, each.begun_ns, each.ended_ns) for each in details.planted),
    )  # fmt: skip


def of_run(evidence: Gathered, end_unix_s: float) -> Course:
    """The course of any other run: from its first request or probe to its last."""
    times = [(row.sent_ns, row.done_ns) for row in evidence.requests]
    times += [(row.sent_ns, row.done_ns) for row in evidence.probes]
    begin_ns, end_ns = min((sent for sent, _ in times), default=0), max((done for _, done in times), default=0)
    return Course(begin_ns=begin_ns, end_ns=end_ns, end_unix_s=end_unix_s)


def scraped(course: Course, evidence: Gathered) -> Samples:
    """By series, every sample as (Unix seconds, value)."""
    past, found = None if course.plan is None else pasts(course.plan), Samples()
    for made in past.series() if past else ():
        samples = found.setdefault(_labelled(made.series, _job(made.job)), [])
        samples += [(at_s, made.told(bad, good)) for at_s, bad, good in _made(course, made.past)]
    seen = Seen(past)
    requests, probes = _Rows([each for each in evidence.requests if each.status]), _Rows(evidence.probes)
    for number in range(int(course.seconds // SCRAPE_S) + 1):
        until_ns = course.begin_ns + round(number * SCRAPE_S / course.scale * NS)
        seen.see(requests.until(until_ns), probes.until(until_ns))
        for job, page in ((TARGET, seen.users_page()), (PROBES, seen.probes_page())):
            for series, value in _read(page, job):
                found.setdefault(series, []).append((course.begin_unix_s + number * SCRAPE_S, value))
    return found


class _Rows(Generic[R]):
    """Rows by the moment at which they were done, each given out once."""

    def __init__(self, rows: Iterable[R]) -> None:
        self._left: deque[R] = deque(sorted(rows, key=lambda row: row.done_ns))

    def until(self, at_ns: int) -> list[R]:
        """Those that were done by then, and were not given out."""
        found: list[R] = []
        while self._left and self._left[0].done_ns <= at_ns:
            found.append(self._left.popleft())
        return found


def _read(page: str, job: str) -> Iterator[tuple[str, str]]:
    """The series of a page of metrics and their values."""
    for line in page.splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            yield _labelled(series, job), value


def _job(page: str) -> str:
    """What users saw is told as the target's own."""
    return TARGET if page == USERS else page


def _made(course: Course, past: history.Past) -> Iterator[tuple[float, float, float]]:
    """The made days, whose old outage leaves the windows when it does in the drill."""
    assert course.drill is not None
    leaves_s = course.begin_unix_s + course.since_begin_s(course.drill.leaves_ns)
    for at_ns, bad, good in past.samples(round(leaves_s * NS), round((course.begin_unix_s - SCRAPE_S) * NS)):
        yield at_ns / NS, bad, good


def _labelled(series: str, job: str) -> str:
    name, _, labels = series.partition("{")
    more = f'job="{job}",instance="run"'
    return f"{name}{{{labels.removesuffix('}')},{more}}}" if labels else f"{name}{{{more}}}"


def open_metrics(samples: Mapping[str, Sequence[tuple[float, str]]]) -> str:
    """As OpenMetrics text, a metric after the other."""
    by_metric = sorted(samples.items(), key=lambda each: each[0].partition("{")[0])
    lines = [f"{series} {value} {at_s:.3f}" for series, values in by_metric for at_s, value in values]
    return "\n".join([*lines, "# EOF"]) + "\n"
