"""The options that several commands take, each group declared once, and what they become: ``Options``, the users.

What makes sense of them is imported where it is needed: a help, which loads this module, is to cost 0.3 s at most.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import msgspec

from harness.base.clock import Clock
from harness.base.data import OVERLAYS, PLANS, REPORTS
from harness.base.errors import BadInput
from harness.base.phase import Detail
from harness.base.progress import Progress
from harness.model.message import Message, message
from harness.model.scenario import MOST_WORKERS, Scenario
from harness.model.stack import AUTO, CLUSTERS, RUNGS, EnvironmentKind, Target
from harness.report.language import LANGUAGES, language
from harness.run.command import Command, Duration, in_place, is_given, option, own, replay, smaller, within
from harness.run.lifecycle import clock_of, run_to_end
from harness.run.only import chosen, only, words
from harness.run.options import Options
from harness.run.own_cluster import OnCluster
from harness.run.registry import rehearsal
from harness.stack.target.targets import COMMAND_HELP, TARGET_HELP, resolve

if TYPE_CHECKING:
    from harness.run.runner import Environment, Runner

#: The scenario with everybody on the API, whose users the rehearsals under load have.
EVERYBODY = "rollout_week4"
_ON = (
    "the environment to run in; local: processes of this machine; kind: a Kubernetes cluster in Docker, made for the "
    "run; kube: your own cluster; auto: kind where it is at hand, else local"
)
_SIM = "; sim: simulated, no evidence for a sign-off"


class NamedPart(Protocol):
    """A part of a plan."""

    @property
    def name(self) -> str:
        """What ``--only`` calls it."""
        ...


N = TypeVar("N", bound=NamedPart)
P = TypeVar("P")


@dataclass(frozen=True, kw_only=True)
class AsJson(Command):
    """The report."""

    json: bool = option("print the result as JSON on standard output", default=False, replayed=False)


@dataclass(frozen=True, kw_only=True)
class InReports(Command):
    """The report."""

    reports: Path = option(
        "the reports folder (default: reports/)", Path, default=REPORTS, replayed=False, metavar="DIR"
    )


@dataclass(frozen=True, kw_only=True)
class Spoken(Command):
    """The report."""

    lang: str = option("language of the terminal and of the reports", choices=LANGUAGES, default="en", replayed=False)


@dataclass(frozen=True, kw_only=True)
class Detailed(Command):
    """The terminal."""

    verbose: bool = option("print every verdict with its reason", default=False, replayed=False, short="-v")
    quiet: bool = option("print the decision alone", default=False, replayed=False, short="-q")

    def unread(self) -> tuple[str, ...]:
        """Who wants the decision alone gets no more."""
        return (*super().unread(), *(("verbose",) if self.quiet else ()))

    @property
    def detail(self) -> Detail:
        """How much is printed."""
        return "decision" if self.quiet else "all" if self.verbose else "usual"


@dataclass(frozen=True, kw_only=True)
class Rehearsing(Spoken, AsJson, InReports, Detailed):
    """The seed."""

    #: Its name in the registry where it is not the command's.
    rehearsal: ClassVar[str] = ""

    seed: int = option("the seed of everything random", within(0, 2**63 - 1), default=1, always=True, metavar="N")

    @abstractmethod
    def planned(self) -> Any:
        """The rehearsal's plan, with what the command line says of it. Raises ``BadInput``."""

    @abstractmethod
    def resolved(self) -> Options:
        """What is asked for besides the plan. Raises ``BadInput``."""

    def at(self, rung: EnvironmentKind, target: Target, manifests: Path) -> Options:
        """What is asked for besides the plan, where nothing else is to be chosen."""
        options = Options(
            rung=rung,
            target=target,
            seed=self.seed,
            reports=self.reports.absolute(),
            manifests=manifests,
            replay=replay(self),
            lang=self.lang,
        )
        return _apart(self, options)

    def said(self, plan: Any) -> Iterable[Message]:
        """The lines behind the first, before anything begins."""
        _ = plan
        return ()

    def ended(self, folder: Path) -> None:
        """What is done with the run's folder at the end."""

    def run(self) -> int:
        """Conducts the rehearsal to its end."""
        plan, options = self.planned(), self.resolved()
        clock = clock_of(options.rung)
        progress = Progress(clock)
        progress.detail = self.detail
        say_first(progress, self.lang, *first_lines(plan, self.name, options), *self.said(plan))

        def make() -> Runner[Any, Any]:
            from harness.run.runner import Runner  # SciPy, psutil and asyncpg load here, after the first line

            found, environment = rehearsal(self.rehearsal or self.name), environment_of(options.rung)
            return Runner(found, plan, options, clock, progress, environment=environment)

        return run_to_end(make, clock, progress, options.lang, as_json=self.json, ended=self.ended)


def environment_of(rung: EnvironmentKind) -> Environment:
    """Where the runs of an environment are."""
    if rung is not EnvironmentKind.SIM:
        from harness.run.runner import RUNGS as OF_THIS_MACHINE

        return OF_THIS_MACHINE
    from harness.run.simulated import Simulated  # FastAPI loads here

    return Simulated()


@dataclass(frozen=True, kw_only=True)
class WithTarget(Command):
    """The API under test."""

    target: str | None = option(TARGET_HELP, metavar="COMMAND|FILE|image:NAME")


@dataclass(frozen=True, kw_only=True)
class StackOptions(WithTarget, OnCluster, InReports):
    """The stack."""

    on: str = option(_ON, choices=RUNGS, default=AUTO, always=True)
    service_port: int | None = option(
        "the service's port on 127.0.0.1 (default: any free one)", within(1024, 65535), metavar="PORT"
    )
    signals_at_once: bool = option(
        "local: signal a pod that leaves while the Service still leads to it, as every cluster does", default=False
    )

    def unread(self) -> tuple[str, ...]:
        """What a cluster does anyhow."""
        return (*super().unread(), *(("signals_at_once",) if self.on in CLUSTERS else ()))

    def chosen_rung(self) -> EnvironmentKind:
        """The environment that ``on`` means for the target. Raises ``BadInput``."""
        from harness.stack.environments.choice import choose

        return choose(self.on, resolve(self.target)).rung

    def placed(self, seed: int, lang: str, manifests: Path | None, component: str = "") -> Options:
        """Where it runs, and on what. ``manifests`` were asked for; without any, ``component`` ends the name of the
        overlay. Raises ``BadInput``."""
        from harness.stack.environments.choice import choose, folder_of, for_rung

        target = resolve(self.target)
        chosen = choose(self.on, target)
        placed = dataclasses.replace(self, on=str(chosen.rung))
        if chosen.rung is EnvironmentKind.SIM and (self.service_port is not None or self.signals_at_once):
            what = "--service-port and --signals-at-once are of processes, which --on sim has not"
            raise BadInput(what, remedy="leave them out, or use --on local")
        if self.signals_at_once and chosen.rung in CLUSTERS:
            if self.on != AUTO:  # which may have met a default: it is so there
                what = "--signals-at-once is of --on local: on a cluster kubelet and kube-proxy race as they do"
                raise BadInput(what, remedy="leave it out")
            placed = dataclasses.replace(placed, signals_at_once=False)
        plain = folder_of(manifests, target, chosen.rung)
        with_it = plain if manifests or target.manifests else plain.with_name(plain.name + component)
        options = Options(
            rung=chosen.rung,
            rung_reason=chosen.why,
            target=for_rung(target, chosen.rung),
            seed=seed,
            reports=self.reports.absolute(),
            manifests=with_it if with_it.exists() else plain,
            replay=replay(placed),
            service_port=self.service_port,
            own_cluster=self.confirmed(chosen.rung),
            signals_at_once=placed.signals_at_once,
            lang=lang,
        )
        return _apart(self, options)


@dataclass(frozen=True, kw_only=True)
class OwnManifests(Command):
    """The manifests."""

    manifests: Path | None = option("a kustomize folder of your own", Path, metavar="DIR", in_place=True)


@dataclass(frozen=True, kw_only=True)
class Staged(Rehearsing, StackOptions, OwnManifests):
    """A rehearsal on a stack, with manifests of somebody's own if need be."""

    #: What ends the name of its overlay.
    component: ClassVar[str] = ""

    def resolved(self) -> Options:
        return self.placed(self.seed, self.lang, self.manifests, self.component)


@dataclass(frozen=True, kw_only=True)
class Spread(Staged):
    """The users."""

    load_from: str = option(
        "where the users' requests come from; outside: processes of this machine; cluster: pods of a Job in the run's "
        "own namespace, on kind and kube",
        choices=("outside", "cluster"),
        default="outside",
    )
    workers: int = option("worker processes that share the users", within(1, MOST_WORKERS), default=1, metavar="N")

    def resolved(self) -> Options:
        """With who makes the load. Raises ``BadInput`` for an environment that cannot have it so."""
        options, cluster = super().resolved(), self.load_from == "cluster"
        if cluster and options.rung not in CLUSTERS:
            raise BadInput(
                message("--load-from cluster needs a cluster, which --on {rung} has not", rung=options.rung),
                remedy="use --on kind or --on kube, or leave it out: the load then comes from this machine",
            )
        if self.workers > 1 and options.rung is EnvironmentKind.SIM:
            raise BadInput("--workers is of processes, which --on sim has not", remedy="leave it out")
        return msgspec.structs.replace(options, load_from_cluster=cluster, workers=self.workers)


@dataclass(frozen=True, kw_only=True)
class Simulable(Staged):
    """The stack."""

    on: str = option(_ON + _SIM, choices=(*RUNGS, EnvironmentKind.SIM.value), default=AUTO, always=True)


@dataclass(frozen=True, kw_only=True)
class OnLocal(Rehearsing):
    """A rehearsal that was tried on ``local`` alone. Its manifests are for tests, which want quicker probes."""

    manifests: Path = option("", Path, default=OVERLAYS / EnvironmentKind.LOCAL)

    @abstractmethod
    def asked(self) -> Target:
        """The API under test. Raises ``BadInput``."""

    def resolved(self) -> Options:
        return self.at(EnvironmentKind.LOCAL, self.asked(), self.manifests)


@dataclass(frozen=True, kw_only=True)
class TargetOnLocal(OnLocal, WithTarget):
    """One that acts on the bundled API, or on somebody's own by its command."""

    target: str | None = option(COMMAND_HELP, metavar="COMMAND|FILE")

    def asked(self) -> Target:
        from harness.stack.target.targets import resolve_command

        return resolve_command(self.target)


@dataclass(frozen=True, kw_only=True)
class Paced(Command):
    """The users."""

    pace: Duration | None = option(
        "how often each user sends a request, e.g. 50s", Duration, metavar="TIME", less=is_given
    )
    fetch_interval: Duration | None = option(
        "Remote Config's minimum fetch interval", Duration, metavar="TIME", less=is_given
    )

    def scenario_of(self, name: str = EVERYBODY, **more: Duration | None) -> Scenario:
        """The scenario ``name`` with the command line's pace, fetch interval and what ``more`` names. Raises
        ``BadInput``."""
        from harness.run.scenarios.load import load, with_options

        typed = {"pace_s": self.pace, "fetch_interval_s": self.fetch_interval, **more}
        return with_options(load(name), **{field: each.seconds for field, each in typed.items() if each})


def not_bundled(path: Path) -> bool:
    """Whether a plan file says another thing than every one of scenarios/plans. Raises ``BadInput``."""
    return _said(path) not in _bundled(PLANS)


@cache
def _bundled(folder: Path) -> list[list[Any]]:
    return [*map(_said, folder.glob("*.yaml"))]


def _said(file: Path) -> list[Any]:
    from harness.base import yamltext

    return [document for document, _ in yamltext.documents(yamltext.read(file), str(file))]


@dataclass(frozen=True, kw_only=True)
class OwnPlan(Command):
    """The plan."""

    plan: Path | None = option(
        "a plan of your own instead of the one in scenarios/plans", Path, metavar="FILE", own=not_bundled
    )

    def read(self, form: type[P]) -> P:
        """The plan of the file that is named, else the bundled one of the command's name. Raises ``BadInput``."""
        from harness.base import planfile

        return planfile.load(self.plan, form) if self.plan else planfile.bundled(self.name, form)


@dataclass(frozen=True, kw_only=True)
class PartsOfPlan(OwnPlan):
    """The plan."""

    only: tuple[str, ...] = only("parts of the plan")

    def read(self, form: type[P]) -> P:
        """With the parts that ``--only`` names."""
        plan: Any = super().read(form)
        found: P = msgspec.structs.replace(plan, parts=self.chosen(plan.parts))
        return found

    def chosen(self, parts: Sequence[N]) -> tuple[N, ...]:
        """The parts that ``--only`` names, in their own order; all when it names none. Raises ``BadInput``."""
        names = chosen(self.only, [part.name for part in parts])
        return tuple(part for part in parts if part.name in names)

    def said(self, plan: Any) -> Iterable[Message]:
        names = ", ".join(part.name for part in plan.parts)
        yield message("{count} parts: {names}", count=str(len(plan.parts)), names=names)


def _apart(command: Command, options: Options) -> Options:
    """With what keeps a run of the command from being the bundled plan, whole."""
    only = tuple(words(getattr(command, "only", ())))
    of_target = options.target.manifests
    theirs = [f"--manifests {of_target}"] if of_target and options.manifests == Path(of_target) else []
    placed = (*dict.fromkeys((*in_place(command), *theirs)),)
    return msgspec.structs.replace(options, only=only, own=own(command), smaller=smaller(command), in_place=placed)


def speaking(clock: Clock, lang: str) -> Progress:
    """What tells how far it is, in that language."""
    progress = Progress(clock)
    progress.say = language(lang)
    return progress


def say_first(progress: Progress, lang: str, *lines: Message) -> None:
    """The lines before anything begins; whatever ``progress`` says from then on is in that language."""
    progress.say = say = language(lang)
    for line in lines:
        progress.plain(say.message(line))


def first_lines(plan: object, name: str, options: Options) -> Iterator[Message]:
    """The first lines of the command ``name``: what a run is made of, and how it is run again."""
    rung: str | Message = options.rung
    if options.rung_reason:
        why = Message(text=options.rung_reason)
        because = message("{environment}, because {why}", environment=rung, why=why)
        rung = (
            message("{environment} ({why})", environment=rung, why=why)
            if options.rung is EnvironmentKind.SIM
            else because
        )
    yield message(
        "{title} · {environment} · {target} · seed {seed}",
        title=Message(text=title) if (title := getattr(plan, "title", "")) else name,
        environment=rung,
        target=Message(text=options.target.name),
        seed=str(options.seed),
    )
    yield message("replay: {replay}", replay=options.replay)
