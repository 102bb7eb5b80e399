"""The head that every page of a report shares: what was run, how it ended, what broke (``templates/frame.html.j2``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from harness.model.errors import Exit
from harness.model.message import marked
from harness.model.stack import Rung
from harness.model.verdict import Combined
from harness.report import words
from harness.report.language import ENGLISH, Language


class Facts(Protocol):
    """What every published document says of itself."""

    @property
    def rung(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def replay(self) -> str: ...
    @property
    def started_utc(self) -> str: ...


class Ended(Protocol):
    """What a finished run's document says of its end: what its verdicts come to, what broke, what was left."""

    @property
    def exit_status(self) -> int: ...
    @property
    def combined(self) -> Combined | None: ...
    @property
    def leaks(self) -> Sequence[str]: ...
    @property
    def errors(self) -> Sequence[str]: ...


class Finished(Facts, Ended, Protocol):
    """What a finished run's document says besides."""

    @property
    def run_id(self) -> str: ...
    @property
    def timings(self) -> Mapping[str, float]: ...


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The banner: a sign, a word and why. ``css`` is a class of the style sheet."""

    sign: str
    word: str
    css: str
    reason: str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The page's head in words of its language."""

    title: str
    ending: Ending
    first_line: str
    rung: str
    rung_words: str
    target: str
    seed: int
    replay: str
    started_utc: str
    started: str
    broke: tuple[str, ...]
    leaks: tuple[str, ...]
    environment: str
    missing: tuple[str, ...]
    changes: tuple[str, ...]
    stand_ins: tuple[str, ...]


#: What stands in the place of a part of production on each rung with processes or containers.
STAND_INS = (
    marked("Auth: Firebase's own emulator, of firebase-tools; its tokens are unsigned"),
    marked("Firestore: a third party's emulator, npm's @firestore-emulator/server, not Google's"),
    marked("Storage: a third party's emulator, PyPI's gcp-storage-emulator; Cloud Storage's API, not Firebase's own"),
    marked("Remote Config: the rehearsal's own emulator"),
    marked("Cloud SQL for PostgreSQL 15: one PostgreSQL of that version on this machine, and a TCP proxy a pod"),
)


def head(
    facts: Facts,
    say: Language,
    *,
    title: str,
    ending: Ending,
    bundled: bool,
    broke: Sequence[str],
    leaks: Sequence[str] = (),
    rung_words: str = "",
) -> Head:
    """The head of ``facts``' page. ``bundled``: the target is ours; ``rung_words`` in the place of the rung's own."""
    return Head(
        title=title,
        ending=ending,
        first_line=words.first_line(facts.seed, facts.rung, facts.replay),
        rung=str(facts.rung),
        rung_words=rung_words or say(words.RUNG[Rung(facts.rung)]),
        target=words.target_words(facts.target, say, bundled=bundled),
        seed=facts.seed,
        replay=facts.replay,
        started_utc=facts.started_utc,
        started=say.moment(facts.started_utc),
        broke=tuple(broke),
        leaks=tuple(leaks),
        environment=environment_of(facts),
        missing=tuple(getattr(facts, "missing_manifests", ())),
        changes=manifest_changes(facts, say),
        stand_ins=tuple(map(say, STAND_INS)),
    )


def environment_of(facts: Facts) -> str:
    """What the target was told to be; "" where the document does not say."""
    return str(getattr(facts, "environment", ""))


def manifest_changes(facts: Facts, say: Language) -> tuple[str, ...]:
    """What the rehearsal changes in the document's manifests on every rung; () where the document does not say."""
    return tuple(words.change_words(change, say) for change in getattr(facts, "manifest_changes", ()))


#: Commands without a decision.
PASSED, NOT_PASSED, BROKE = marked("All passed"), marked("Not all passed"), marked("Not finished")
NOTHING = marked("Nothing exercised")
LEFT = marked("Something was left on the machine")


def by_status(
    report: Ended, say: Language, reason: str, *, passed: str = PASSED, not_passed: str = NOT_PASSED
) -> Ending:
    """How a command without a decision ended, by its exit status and by what its verdicts come to.

    ``passed`` and ``not_passed`` are message ids in the place of the usual words.
    """
    if report.exit_status == Exit.OK and report.combined is not Combined.NOTHING_EXERCISED:
        return Ending(sign="✓", word=say(passed), css="advance", reason=reason)
    if report.exit_status in (Exit.OK, Exit.HOLD):
        if report.combined is Combined.NOTHING_EXERCISED:
            return Ending(sign="–", word=say(NOTHING), css="hold", reason=reason)
        return Ending(sign="■", word=say(not_passed), css="hold", reason=reason)
    broke = LEFT if report.exit_status == Exit.LEAK and not report.errors else BROKE
    return Ending(sign="✗", word=say(broke), css="roll_back", reason=reason)


def run_facts(facts: Facts, run_id: str, exit_status: int, say: Language, *, bundled: bool) -> list[str]:
    """The same facts as lines of ``summary.md``."""
    return [
        say(
            "seed {seed}, run {run}, started {started}, {status}",
            seed=str(facts.seed),
            run=run_id,
            started=say.moment(facts.started_utc),
            status=say("exit status {status}", status=str(exit_status)),
        ),
        say("environment {rung}: {words}", rung=str(facts.rung), words=say(words.RUNG[Rung(facts.rung)])),
        say("target: {target}", target=words.target_words(facts.target, say, bundled=bundled)),
        *([say("variable ENVIRONMENT: {name}", name=name)] if (name := environment_of(facts)) else []),
    ]


def nothing_line(report: Ended) -> list[str]:
    """The line for a terminal that says that nothing was judged; [] where something was, or where the run broke."""
    if report.combined is not Combined.NOTHING_EXERCISED or report.exit_status != Exit.HOLD:
        return []
    return ["nothing was exercised: this run says neither that the promises are kept nor that they are not"]


def closing_lines(report: Finished, folder: str) -> list[str]:
    """The last lines for a terminal: what was left and broke, the times, where the page is."""
    timings = ", ".join(f"{name} {value:.1f} s" for name, value in report.timings.items())
    return [
        *(f"LEAK {leak}" for leak in report.leaks),
        *(f"error: {error}" for error in report.errors),
        *nothing_line(report),
        *([f"timings: {timings}"] if timings else []),
        words.report_line(folder, report.exit_status, ENGLISH),
    ]
