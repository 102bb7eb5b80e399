"""What failed, as a job of GitHub shows it beside a pull request: its workflow commands. Pure but for ``at``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from harness.base.shown import shown
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.result import Result
from harness.report.brief import said, what
from harness.report.language import Language

#: GitHub shows as many of each level of a step.
MOST = 10


def annotated(result: Result, say: Language, file: str = "") -> tuple[str, ...]:
    """Return a line for each error of a run and each judgement that kept it from its success, errors first.

    A failure is an error, what could not be shown is a warning. ``file`` is the file that they stand beside. What a
    target says is escaped as on the terminal, and besides so that no text of it ends a line or begins a command.
    """
    facts = result.facts
    found = [("error", say("error: {error}", error=each)) for each in facts.errors_told or facts.errors]
    against = [each for each in result.judgements if each.kind is not Kind.OBSERVATION and each.holds]
    against.sort(key=lambda each: each.verdict is not Verdict.FAIL)
    found += [("error" if each.verdict is Verdict.FAIL else "warning", _told(each, say)) for each in against]
    return tuple(_limited(found, say.message(result.title), file))


def at(replay: str) -> str:
    """Return the first file below the working folder that the command line ``replay`` names; "" if none does."""
    for word in shlex.split(replay):
        path = Path(word)
        if path.suffix in (".yaml", ".yml") and not path.is_absolute() and ".." not in path.parts and path.is_file():
            return path.as_posix()
    return ""


def _told(judgement: Judgement, say: Language) -> str:
    return ": ".join(filter(None, (what(judgement, say), said(judgement, say))))


def _limited(found: list[tuple[str, str]], title: str, file: str) -> Iterator[str]:
    named = f"file={_escaped(file, property_=True)}," if file else ""
    for level in ("error", "warning"):
        for text in [text for of, text in found if of == level][:MOST]:
            yield f"::{level} {named}title={_escaped(title, property_=True)}::{_escaped(text)}"


def _escaped(text: str, *, property_: bool = False) -> str:
    """Return ``text`` as a workflow command takes it: on one line, and in a property without what ends it."""
    places = {"%": "%25", "\r": "%0D", "\n": "%0A", **({":": "%3A", ",": "%2C"} if property_ else {})}
    return "".join(places.get(each, each) for each in shown(text))
