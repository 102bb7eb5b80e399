"""Going on with a run that was cut short: by one process alone, in its own folder, as it was begun."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from harness.base.clock import Clock
from harness.base.data import ROOT
from harness.base.errors import NOT_JSON, BadInput, EvidenceNotWritten
from harness.base.owned import own
from harness.base.progress import Progress
from harness.model.message import message
from harness.report.published import RESULT, RESULT_JSON
from harness.run.arguments import Rehearsing, environment_of, first_lines, say_first
from harness.run.command import flag, given, option, parse, words
from harness.run.lifecycle import clock_of, run_to_end
from harness.run.options import Options
from harness.run.registry import rehearsal

if TYPE_CHECKING:
    from harness.model.result import Child, Result
    from harness.run.rehearsal import Rehearsal
    from harness.run.runner import Environment, Runner

#: What a resume may be given: the rest is the run's own, as it was begun.
FREE = {"resume", "yes_use_this_cluster", "reports", "json", "lang", "verbose", "quiet", "no_defaults"}


@dataclass(frozen=True, kw_only=True)
class Resumable(Rehearsing):
    """The seed."""

    resume: str | None = option(
        "continue a stopped run of the command (its id, its folder, or latest) as it was begun", metavar="RUN"
    )

    @classmethod
    def takes_default(cls, name: str, typed: Sequence[str]) -> bool:
        """A run goes on as it was begun, whatever has become the default."""
        return name in FREE or not any(word.partition("=")[0] == flag("resume") for word in typed)

    def goes_on(self, plan: Any, details: Any, folder: Path) -> tuple[Any, tuple[Child, ...]]:
        """The details with which the stopped run in ``folder`` goes on, and the runs of a sequence. Raises ``BadInput``
        where nothing is left to do. Here those that it left."""
        _ = plan, folder
        return details, ()

    def as_typed(self) -> tuple[str, ...]:
        """The words by which a resume from any folder, with any defaults, reads the same command."""
        chosen: Any = self
        manifests = None if chosen.manifests is None else chosen.manifests.absolute()
        return tuple(words(dataclasses.replace(chosen, on=str(chosen.chosen_rung()), manifests=manifests)))

    def run(self) -> int:
        """Conducts the run, or what is left of one that was begun."""
        with contextlib.ExitStack() as held:
            asked = _asked(self, held)
            clock = clock_of(asked.options.rung)
            progress = Progress(clock)
            progress.detail = self.detail
            first = first_lines(asked.plan, self.name, asked.options)
            say_first(progress, self.lang, *first, *self.said(asked.plan))
            where = environment_of(asked.options.rung)

            def make() -> Runner[Any, Any]:
                return _made(asked, held, clock, progress, where)

            return run_to_end(make, clock, progress, self.lang, as_json=self.json, ended=self.ended)


class _Asked(NamedTuple):
    """A run that is asked for; ``resumed`` as ``Runner`` takes it."""

    rehearsal: Rehearsal[Any, Any]
    plan: Any
    options: Options
    resumed: tuple[Path, Any, Result] | None = None


def begun(
    typed: Resumable, held: contextlib.ExitStack, progress: Callable[[Clock], Progress], environment: Environment
) -> Runner[Any, Any]:
    """The run, new or resumed, not yet under way; until ``held`` is left no other process can continue it."""
    asked = _asked(typed, held)
    clock = clock_of(asked.options.rung)
    return _made(asked, held, clock, progress(clock), environment)


def _asked(typed: Resumable, held: contextlib.ExitStack) -> _Asked:
    """What the command line asks for, or what was begun; that is locked."""
    found = rehearsal(typed.rehearsal or typed.name)
    if typed.resume is None:
        return _Asked(found, typed.planned(), typed.resolved())
    _nothing_else(typed)
    folder = _folder(typed.resume, typed.reports.absolute())
    result = RESULT.read(folder / RESULT_JSON)
    if result.rehearsal != found.name:
        names = {"run": folder.name, "wanted": found.name, "rehearsal": result.rehearsal}
        told = message("{run} is no {wanted} but a run of {rehearsal}", **names)
        raise BadInput(told, where=str(folder), remedy="name the run by its id or its folder")
    held.enter_context(locked(folder))
    result = RESULT.read(folder / RESULT_JSON)  # as whoever held it has left it
    plan, options, details, children = _as_begun(found, folder, result, typed)
    return _Asked(found, plan, options, (folder, details, msgspec.structs.replace(result, children=children)))


def _made(
    asked: _Asked, held: contextlib.ExitStack, clock: Clock, progress: Progress, environment: Environment
) -> Runner[Any, Any]:
    from harness.run.runner import Runner  # SciPy and psutil load here

    made = Runner(
        asked.rehearsal, asked.plan, asked.options, clock, progress,
        environment=environment, resumed=asked.resumed,
    )  # fmt: skip
    if asked.resumed is None:
        held.enter_context(locked(made.folder))
    return made


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a run's folder, so that two processes never continue the same run. Raises ``BadInput``."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        told = message("the reports folder cannot be read: {error}", error=str(error.strerror))
        remedy = "make it readable, or name another one with --reports"
        raise EvidenceNotWritten(told, where=str(folder), remedy=remedy) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise BadInput("the run is under way in another process", where=str(folder), remedy="wait for it") from error
    try:
        yield
    finally:
        os.close(handle)


def _as_begun(
    found: Rehearsal[Any, Any], folder: Path, result: Result, typed: Resumable
) -> tuple[Any, Options, Any, tuple[Child, ...]]:
    from harness.run.result import details_of
    from harness.run.runner import PLAN_JSON

    try:
        own(folder / PLAN_JSON)  # its words say what is run
        plan = msgspec.json.decode((folder / PLAN_JSON).read_bytes(), type=found.plan)
        known = details_of(found, result)
    except (OSError, *NOT_JSON) as error:
        told = message("the folder holds no {wanted} that can go on: {error}", wanted=found.name, error=str(error))
        raise BadInput(told, where=str(folder), remedy="begin a new one") from error
    details, children = typed.goes_on(plan, known, folder)
    free: dict[str, Any] = {"yes_use_this_cluster": getattr(typed, "yes_use_this_cluster", False), "lang": typed.lang}
    as_begun = dataclasses.replace(parse(type(typed), plan.words), **free)
    options = msgspec.structs.replace(as_begun.resolved(), reports=folder.parent, replay=result.facts.replay)
    return plan, options, details, children


def _nothing_else(typed: Resumable) -> None:
    if more := sorted(set(given(typed)) - FREE):
        told = message("--resume goes on as it was begun, with none of {options}", options=", ".join(map(flag, more)))
        raise BadInput(told, where="--resume", remedy="leave them out, or begin a new run")


def _folder(named: str, reports: Path) -> Path:
    """The run's folder, by its id (or ``latest``) in the reports folder or by its path."""
    by_id = reports / named
    for path in (by_id, Path(named).absolute(), ROOT / named):
        if (path / RESULT_JSON).exists():
            return path.resolve()
    return by_id.resolve()  # the reader says what is missing
