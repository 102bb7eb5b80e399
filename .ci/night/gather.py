"""One verdict of a whole night, from what its jobs left: exit statuses, JUnit files, and whether a job left anything.

What is missing counts as failed: a job without a result, a step that was to be judged and left no JUnit, a JUnit file
without a test. The seeds to keep are those that the jobs kept; of a job without a result, yesterday's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.base.shown import shown
from harness.report.markdown import plain
from night import files, junit, seeds
from night.errors import Trouble
from night.jobs import Job
from night.running import RESULT
from night.seeds import Failing

GREEN, RED = "green", "red"
SCHEMA_VERSION = 1
_SHOWN_TESTS = 5
_ONE_NIGHT = timedelta(hours=24)  # a job ends within six hours, and waits for a machine before


@dataclass(frozen=True)
class JobVerdict:
    """Of one job: why it is red, nothing when it is green; and what its commands were."""

    job: str
    reasons: tuple[str, ...]
    tests: int = 0
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """Green without a reason against it."""
        return RED if self.reasons else GREEN


@dataclass(frozen=True)
class Night:
    """The one verdict. ``image_digest`` is what was rehearsed, "" when no image was named. ``results`` are those of
    this night, by the job; each step says what is against it, in ``against``."""

    jobs: tuple[JobVerdict, ...]
    failing: tuple[Failing, ...]
    ended_utc: str
    commit: str = ""
    run_url: str = ""
    image_digest: str = ""
    dropped: tuple[Failing, ...] = ()  # of jobs that are no longer in the file of jobs
    results: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Green only when every job is and no failing seed is left."""
        return RED if self.failing or any(job.reasons for job in self.jobs) else GREEN

    def document(self) -> dict[str, object]:
        """As ``night.json`` has it."""
        jobs = [{"verdict": job.verdict, **asdict(job)} for job in self.jobs]
        facts = {"commit": self.commit, "run_url": self.run_url, "image_digest": self.image_digest}
        return {
            "schema_version": SCHEMA_VERSION,
            "verdict": self.verdict,
            "ended_utc": self.ended_utc,
            **facts,
            "jobs": jobs,
            "failing_seeds": seeds.encoded(self.failing),
        }


def gather(
    jobs: Sequence[Job],
    found: Path,
    yesterday: Sequence[Failing],
    *,
    commit: str = "",
    run_url: str = "",
    image_digest: str = "",
) -> Night:
    """The verdict of the results below ``found``: a folder for each job, at any depth."""
    verdicts, kept, read = [], [], dict[str, dict[str, Any]]()
    results = {path.parent.name: path for path in sorted(found.rglob(RESULT))}
    for job in jobs:
        verdict, failing, result = _of_job(job, results.get(job.name), image_digest)
        verdicts.append(verdict)
        read |= {job.name: result} if result is not None and failing is not None else {}
        kept += [each for each in yesterday if each.job == job.name] if failing is None else failing
    strangers = sorted(results.keys() - {job.name for job in jobs})
    verdicts += [JobVerdict(name, ("it is no job of this night",)) for name in strangers]
    if image_digest and not any(job.image for job in jobs):
        verdicts.append(JobVerdict("image", (f"no job rehearses an image, so none rehearsed {image_digest}",)))
    names = {job.name for job in jobs}
    dropped = tuple(each for each in yesterday if each.job not in names)
    ended = datetime.now(UTC).isoformat(timespec="seconds")
    left = tuple(seeds.merged(kept))
    return Night(tuple(verdicts), left, ended, commit, run_url, image_digest, dropped, read)


def _of_job(
    job: Job, path: Path | None, image_digest: str
) -> tuple[JobVerdict, list[Failing] | None, dict[str, Any] | None]:
    """The job's verdict, the seeds it keeps, ``None`` when it does not say, and its result where it can be read."""
    if path is None:
        return JobVerdict(job.name, ("it left no result: it did not run, or not to its end",)), None, None
    try:
        result = files.read(path, dict)
        failing: list[Failing] | None = [seeds.decoded(entry, path) for entry in result["failing"]]
        reasons, tests = _read(job, result, path.parent)
        age = datetime.now(UTC) - datetime.fromisoformat(result["began_utc"])
        if age > _ONE_NIGHT:
            reasons.append(f"its result is of another night: it began {age / timedelta(hours=1):.0f} h ago")
            failing = None  # what is kept since stays
        seconds = sum(each["seconds"] for each in [*result["replays"], *result["steps"]])
    except (Trouble, KeyError, TypeError, ValueError) as error:
        return JobVerdict(job.name, (f"its result does not read: {error!r}",)), None, None
    if job.image and image_digest and image_digest not in result["image_digests"]:
        had = ", ".join(result["image_digests"]) or "none that a registry knows"
        reasons.append(f"it rehearsed another image: {had}, not {image_digest}")
    return JobVerdict(job.name, tuple(reasons), tests, round(seconds, 1)), failing, result


def _read(job: Job, result: dict[str, Any], folder: Path) -> tuple[list[str], int]:
    reasons = [
        f"a seed that failed before fails again (status {each['status']}): {each['command']}"
        for each in result["replays"]
        if not each["good"]
    ]
    if result["unreplayed"]:
        reasons.append(f"{result['unreplayed']} failing seeds were not replayed: the time was spent")
    ran = result["steps"]
    tests = 0
    for each in ran:
        each["against"] = [] if each["good"] else [f"status {each['status']}: {each['command']}"]
        outcomes = [(name, junit.read(folder / name)) for name in each["junit"]]
        tests += sum(outcome.tests for _, outcome in outcomes)
        if each["judged"]:
            each["against"] += _against(each["command"], outcomes)
        reasons += each["against"]
    reasons += [f"it ended before: {step.run}" for step in job.steps[len(ran) :]]
    return reasons, tests


def _against(command: str, outcomes: list[tuple[str, junit.Outcome]]) -> Iterable[str]:
    if not any(outcome.tests for _, outcome in outcomes):
        yield f"no JUnit file with a test: {command}"
    for name, outcome in outcomes:
        if outcome.broken:
            yield f"{name} {outcome.broken}"
        if outcome.failed:
            shown = ", ".join(outcome.failed[:_SHOWN_TESTS])
            more = len(outcome.failed) - _SHOWN_TESTS
            yield f"{name}: {len(outcome.failed)} failed: {shown}{f' and {more} more' if more > 0 else ''}"


def untrusted(words: str) -> str:
    """Whatever a job or a JUnit file says, as no markup and as nobody's mention."""
    return plain(words).replace("@", "@<!-- -->")


def typed(line: str) -> str:
    """A command line to be copied, which is code whatever it holds."""
    held = shown(" ".join(line.split())).replace("`", "'").replace("|", "\\|")
    return f"`{held}`"


def text(night: Night) -> str:
    """The verdict as Markdown: for the job's page, the issue, and whoever opens ``night.md``."""
    red = [job for job in night.jobs if job.reasons]
    lines = [f"**{night.verdict}**: {len(night.jobs) - len(red)} of {len(night.jobs)} jobs are green", ""]
    lines += [f"Commit {night.commit}"] if night.commit else []
    lines += [f"Image {night.image_digest}"] if night.image_digest else []
    lines += [f"Run {night.run_url}"] if night.run_url else []
    for job in red:
        lines += ["", f"### {untrusted(job.job)}", "", *(f"- {untrusted(reason)}" for reason in job.reasons)]
    if night.failing:
        lines += ["", "### Failing seeds", "", "Replayed first each night, until they are green.", ""]
        lines += ["| since | nights | status | job | replay |", "|---|---|---|---|---|"]
        for f in night.failing:
            cells = map(untrusted, (f.since, str(f.nights), str(f.status), f.job))
            lines.append(f"| {' | '.join(cells)} | {typed(f.line)} |")
    lines += [f"Dropped, for there is no job {untrusted(f.job)} any more: {typed(f.line)}" for f in night.dropped]
    green = ", ".join(f"{job.job} ({job.tests} tests)" for job in night.jobs if not job.reasons)
    return "\n".join([*lines, "", f"Green: {green or 'none'}"]) + "\n"
