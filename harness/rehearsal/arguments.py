"""From a command line to what every rehearsal is asked for: the options, the users, the line that runs it again."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from harness.base import units
from harness.base.data import REPORTS
from harness.base.errors import BadInput
from harness.model.scenario import Scenario
from harness.model.stack import Rung, Target
from harness.rehearsal import own_cluster
from harness.rehearsal.options import Options
from harness.stack.rungs import choose, folder_of, for_rung, overlay
from harness.stack.targets import resolve
from scenarios.load import load, with_options

#: The scenario with everybody on the API, whose users the rehearsals under load have.
EVERYBODY = "rollout_week4"

_SECONDS = {"window_s": "--window", "pace_s": "--pace", "fetch_interval_s": "--fetch-interval"}


def options_of(arguments: argparse.Namespace, *, head: Sequence[str] = (), own: Sequence[str] = ()) -> Options:
    """What the command line says besides the plan. The replay is ``head`` (such as a scenario's name), rung and seed,
    the command's ``own`` words, and whatever else was typed. Raises ``BadInput``.
    """
    if arguments.service_port is not None and not 1024 <= arguments.service_port <= 65535:
        raise BadInput(f"--service-port {arguments.service_port} is not between 1024 and 65535")
    target = resolve(arguments.target)
    chosen = choose(arguments.on, target)
    words = ["python", "-m", "harness", arguments.command, *head, "--on", str(chosen.rung)]
    words += ["--seed", str(arguments.seed), *own, *_changed(arguments)]
    return Options(
        rung=chosen.rung,
        rung_reason=chosen.why,
        target=for_rung(target, chosen.rung),
        seed=arguments.seed,
        reports=arguments.reports.absolute(),
        manifests=folder_of(arguments.manifests, target, chosen.rung),
        replay=shlex.join(words),
        service_port=arguments.service_port,
        own_cluster=own_cluster.from_arguments(arguments, chosen.rung),
        signals_at_once=arguments.signals_at_once,
        lang=arguments.lang,
    )


def add_local_arguments(command: argparse.ArgumentParser) -> None:
    """What the commands take that were tried on ``local`` alone, beside their own options; see ``local_options``."""
    command.add_argument("--json", action="store_true", help="print result.json on standard output")
    command.add_argument("--reports", type=Path, default=REPORTS, help="where reports go (default: reports/)")
    command.add_argument("--manifests", type=Path, default=overlay(Rung.LOCAL), help=argparse.SUPPRESS)


def local_options(arguments: argparse.Namespace, target: Target, *own: str) -> Options:
    """The options of such a command; ``own`` are its words for the replay, behind the seed."""
    words = ["python", "-m", "harness", arguments.command, "--seed", str(arguments.seed), *own]
    return Options(
        rung=Rung.LOCAL,
        target=target,
        seed=arguments.seed,
        reports=arguments.reports.absolute(),
        manifests=arguments.manifests,
        replay=shlex.join(words),
        lang=arguments.lang,
    )


def scenario_of(arguments: argparse.Namespace, name: str = EVERYBODY) -> Scenario:
    """The scenario ``name`` with the command line's window, pace and fetch interval. Raises ``BadInput``."""
    typed = {field: getattr(arguments, field.removesuffix("_s")) for field in _SECONDS}
    return with_options(load(name), **{field: units.seconds(text) for field, text in typed.items() if text})


def first_line(options: Options) -> str:
    """The first line of a command: what a run is made of, and how it is run again."""
    reason = f" ({options.rung_reason})" if options.rung_reason else ""
    return (
        f"seed {options.seed}, environment {options.rung}{reason}, target {options.target.name}; "
        f"replay: {options.replay}"
    )


def _changed(arguments: argparse.Namespace) -> Iterator[str]:
    for field, name in _SECONDS.items():
        text = getattr(arguments, field.removesuffix("_s"))
        yield from (name, text) if text else ()
    yield from ("--target", arguments.target) if arguments.target is not None else ()
    yield from (word for text in arguments.fault for word in ("--fault", text))
    yield from own_cluster.words(arguments)
    yield from ("--manifests", str(arguments.manifests)) if arguments.manifests is not None else ()
    yield from ("--signals-at-once",) if arguments.signals_at_once else ()


class Named(Protocol):
    """A part of a plan."""

    @property
    def name(self) -> str:
        """What ``--only`` calls it."""
        ...


P = TypeVar("P", bound=Named)


def chosen(parts: Sequence[P], only: Sequence[str]) -> tuple[P, ...]:
    """The parts that ``--only`` names, in their own order; all when it names none. Raises ``BadInput``."""
    names = [part.name for part in parts]
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise BadInput(f"--only {unknown[0]}: no such part", remedy=f"the parts are: {', '.join(names)}")
    return tuple(part for part in parts if not only or part.name in only)


def only_words(names: Iterable[str]) -> list[str]:
    """``--only`` as it was given, for a command line that runs the same again."""
    return [word for name in names for word in ("--only", name)]


def parts_words(arguments: argparse.Namespace) -> list[str]:
    """``--plan`` and ``--only`` as they were given, for the replay of a command that runs parts of a plan."""
    return [*(["--plan", str(arguments.plan)] if arguments.plan else []), *only_words(arguments.only)]


def parts_line(parts: Sequence[Named]) -> str:
    """The second line of a command that runs parts of a plan."""
    return f"{len(parts)} parts: {', '.join(part.name for part in parts)}"
