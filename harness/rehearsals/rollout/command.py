"""``python -m harness run`` and ``rollout``: from their options to an exit status."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.base.clock import Clock
from harness.base.data import ROOT
from harness.base.errors import BadInput, EvidenceNotWritten
from harness.base.progress import Progress
from harness.model.scenario import Scenario
from harness.rehearsal.arguments import first_line, options_of, scenario_of
from harness.rehearsal.lifecycle import carry_out, clock_of, conducted
from harness.rehearsal.options import Options
from harness.rehearsals.rollout.faults import faults
from harness.report.published import RESULT, RESULT_JSON

if TYPE_CHECKING:
    from harness.model.result import Result
    from harness.rehearsal.conduct import Conductor
    from harness.rehearsals.rollout.sequence import Rollout
    from harness.rehearsals.rollout.weeks import RolloutDetails, RolloutPlan

Parse = Callable[[Sequence[str]], argparse.Namespace]

#: What a resume may be given: the rest is the rollout's own, as it was begun.
_FREE = {"resume", "yes_use_this_cluster", "reports", "json", "lang", "handler", "command"}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options that a rollout has beside those of a run."""
    command.add_argument("--weeks", default="1-4", metavar="FROM-TO", help="which weeks, e.g. 2-3 (default: 1-4)")
    command.add_argument(
        "--resume", metavar="ROLLOUT", help="continue a stopped rollout (its id, its folder, or latest) as it was begun"
    )


def run(arguments: argparse.Namespace) -> int:
    """A week, or a scenario of one's own. Raises ``BadInput`` for what was typed."""
    plan = _scenario(arguments, arguments.scenario)
    options = options_of(arguments, head=(arguments.scenario,))
    clock = clock_of(options.rung)
    progress = Progress(clock)
    progress.plain(first_line(options))
    return carry_out("rollout_week", plan, options, clock, progress, as_json=arguments.json)


def rollout(arguments: argparse.Namespace, parse: Parse) -> int:
    """The weeks, or what is left of those that were begun. ``parse`` reads a rollout's words. Raises ``BadInput``."""
    from harness.rehearsals.rollout.sequence import REHEARSAL  # SciPy and psutil load here

    with contextlib.ExitStack() as held:
        conductor = begun(REHEARSAL, arguments, parse, held)
        clock, progress = conductor.clock, conductor.progress
        progress.plain(first_line(conductor.options))
        total_s = sum(each.scenario.window_s for each in conductor.plan.weeks)
        weeks = ", ".join(str(week) for week in conductor.plan.asked)
        progress.plain(f"weeks {weeks}: measuring windows of {total_s:g} s in all, each with its own stack")
        return conducted(lambda: conductor, conductor.options, clock, progress, as_json=arguments.json)


def begun(
    rehearsal: Rollout,
    arguments: argparse.Namespace,
    parse: Parse,
    held: contextlib.ExitStack,
    progress: Callable[[Clock], Progress] = Progress,
) -> Conductor[RolloutPlan, RolloutDetails]:
    """The rollout, new or resumed, not yet run; until ``held`` is left no other process can continue it."""
    from harness.rehearsal.conduct import Conductor
    from harness.rehearsal.environment import environment_of

    resumed: tuple[Path, RolloutDetails] | None = None
    if arguments.resume is None:
        plan, options = _new(arguments, parse)
    else:
        _nothing_else(arguments, parse([]))
        folder = _folder(arguments.resume, arguments.reports.absolute())
        result = RESULT.read(folder / RESULT_JSON)
        held.enter_context(locked(folder))
        plan, options, details = _resumed(rehearsal, folder, result, arguments, parse)
        resumed = folder, details
    clock = clock_of(options.rung)
    conductor = Conductor(
        rehearsal, plan, options, clock, progress(clock), environment=environment_of(options.rung), resumed=resumed
    )
    if resumed is None:
        held.enter_context(locked(conductor.folder))
    return conductor


def _new(arguments: argparse.Namespace, parse: Parse) -> tuple[RolloutPlan, Options]:
    from harness.rehearsals.rollout.weeks import PlannedWeek, RolloutPlan, weeks_of

    asked = weeks_of(arguments.weeks)
    own = ["--weeks", arguments.weeks] if arguments.weeks != parse([]).weeks else []
    options = options_of(arguments, own=own)
    # All are read before the first week begins, so that a mistake costs no time.
    weeks = tuple(PlannedWeek(week=week, scenario=_scenario(arguments, f"rollout_week{week}")) for week in asked)
    words = options.replay.partition(" rollout ")[2]
    # Beside the replay's: what belongs to this machine.
    more = ["--service-port", str(arguments.service_port)] if arguments.service_port is not None else []
    more += ["--manifests", str(arguments.manifests.absolute())] if arguments.manifests is not None else []
    return RolloutPlan(weeks=weeks, words=(*shlex.split(words), *more)), options


def _resumed(
    rehearsal: Rollout, folder: Path, result: Result, arguments: argparse.Namespace, parse: Parse
) -> tuple[RolloutPlan, Options, RolloutDetails]:
    from harness.rehearsal.conclude import details_of
    from harness.rehearsal.conduct import PLAN_JSON
    from harness.rehearsals.rollout.weeks import resumable

    try:
        plan = msgspec.json.decode((folder / PLAN_JSON).read_bytes(), type=rehearsal.plan)
        details = details_of(rehearsal, result)
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(
            f"the folder holds no rollout that can go on: {error}", where=str(folder), remedy="begin a new rollout"
        ) from error
    resumable(plan, details)
    as_begun = parse(plan.words)
    as_begun.yes_use_this_cluster, as_begun.lang = arguments.yes_use_this_cluster, arguments.lang
    options = msgspec.structs.replace(options_of(as_begun), reports=folder.parent, replay=result.facts.replay)
    return plan, options, details


def _scenario(arguments: argparse.Namespace, name: str) -> Scenario:
    scenario = scenario_of(arguments, name)
    return msgspec.structs.replace(scenario, faults=faults(arguments.fault, scenario))


def _nothing_else(arguments: argparse.Namespace, defaults: argparse.Namespace) -> None:
    given = {name for name, value in vars(arguments).items() if value != getattr(defaults, name, None)} - _FREE
    if given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        raise BadInput(
            f"--resume goes with neither of {named}: it continues with the seed and the options of the beginning",
            where="--resume",
            remedy="leave them out, or begin a new rollout, with --weeks if need be",
        )


def _folder(named: str, reports: Path) -> Path:
    """The rollout's folder, by its id (or ``latest``) in the reports folder or by its path."""
    by_id = reports / named
    for path in (by_id, Path(named).absolute(), ROOT / named):
        if (path / RESULT_JSON).exists():
            return path.resolve()
    return by_id.resolve()  # the reader says what is missing


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a rollout's folder, so that two processes never continue the same rollout. Raises ``BadInput``."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise EvidenceNotWritten(
            f"the reports folder cannot be read: {error.strerror}",
            where=str(folder),
            remedy="make it readable, or name another one with --reports",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise BadInput(
            "the rollout is under way in another process", where=str(folder), remedy="wait for it"
        ) from error
    try:
        yield
    finally:
        os.close(handle)
