"""``python -m harness chaos`` and ``chaos_nightly``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.base.errors import BadInput
from harness.model.direction import Direction
from harness.model.message import Message, message
from harness.report.language import language
from harness.run.arguments import Paced, Staged
from harness.run.command import Command, Duration, flag, given, option, replay, within
from harness.run.only import chosen, only, words

if TYPE_CHECKING:
    from harness.rehearsals.chaos.types import ChaosPlan, NightPlan, Schedule

_MOST_DRAWN = 500
_FILES = (".yaml", ".yml")


def _any_file(asked: Sequence[str]) -> bool:
    return any(word.endswith(_FILES) for word in words(asked))


def _budget(text: str) -> Duration:
    if not (budget := Duration(text)).seconds:
        raise ValueError("it is 0: no schedule would be begun; write for example '90min'")
    return budget


@dataclass(frozen=True)
class Shard:
    """One of several parts of a night, as it was typed: "2/4" is the second of four."""

    text: str

    def __post_init__(self) -> None:
        number, _, all_ = self.text.partition("/")
        if not (number.isdecimal() and all_.isdecimal() and 1 <= int(number) <= int(all_)):
            told = message("{value} is no shard: write which of how many it is, from 1/4 to 4/4", value=repr(self.text))
            raise ValueError(told)

    def __str__(self) -> str:
        return self.text

    @property
    def all(self) -> int:
        """How many shards there are."""
        return int(self.text.partition("/")[2])

    @property
    def part(self) -> slice:
        """What it takes of the schedules in their order: as many as any other shard, but for one."""
        return slice(int(self.text.partition("/")[0]) - 1, None, self.all)


@dataclass(frozen=True, kw_only=True)
class HealingCommand(Command):
    """The stores."""

    reconcile: Direction | None = option("heal the stores after the checks", Direction, choices=tuple(Direction))


@dataclass(frozen=True, kw_only=True)
class ChaosCommand(Staged, Paced, HealingCommand):
    """The experiments of chaos/ on a stack under load, judged.

    Those that take minutes are made when they are named.
    """

    name = "chaos"
    example = "--only pod_kill"

    only: tuple[str, ...] = only("experiments, or files of your own that end in .yaml", "NAME|FILE,...", own=_any_file)
    list: bool = option("name the bundled experiments and end", default=False, replayed=False)

    @classmethod
    def takes_default(cls, name: str, typed: Sequence[str]) -> bool:
        """What only names the experiments reads the language alone."""
        return name == "lang" or "--list" not in typed

    def planned(self) -> ChaosPlan:
        """The experiments that are named, else all in their order."""
        from harness.rehearsals.chaos import catalogue  # what a plan is made of loads here: no help needs it
        from harness.rehearsals.chaos.steady import steady_criteria
        from harness.rehearsals.chaos.types import ChaosPlan, PlannedExperiment

        drawn = tuple(map(catalogue.load, self._named() or catalogue.usual()))
        loses = [each.name for each in drawn if each.expects.failover and not each.expects.failover.synchronous]
        if loses and len(drawn) > 1:
            told = message("{name} has to lose acknowledged writes: it would hide what others lose", name=loses[0])
            raise BadInput(told, remedy="run it alone, with one --only")
        scenario = self.scenario_of()
        return ChaosPlan(
            experiments=tuple(PlannedExperiment(experiment=each) for each in drawn),
            scenario=scenario,
            criteria=steady_criteria(scenario),
            reconcile=self.reconcile,
        )

    def _named(self) -> Sequence[str]:
        """Those that are asked for, in the order in which they were typed."""
        from harness.rehearsals.chaos import catalogue

        found: list[str] = []
        for word in words(self.only):
            found += [word] if word.endswith(_FILES) else chosen((word,), catalogue.names())
        return found

    def run(self) -> int:
        """Conducts them, or lists them."""
        if self.list:
            from harness.rehearsals.chaos import catalogue

            if more := sorted(set(given(self)) - {"lang", "list", "no_defaults"}):
                told = message("--list runs nothing: {options}", options=", ".join(map(flag, more)))
                raise BadInput(told, remedy="leave one of them out")
            for name in catalogue.names():
                sys.stdout.write(f"{name:<24} {language(self.lang)(catalogue.load(name).title)}\n")
            return 0
        return super().run()

    def said(self, plan: ChaosPlan) -> Iterable[Message]:
        names = ", ".join(each.experiment.name for each in plan.experiments)
        yield message("{count} experiments: {names}", count=str(len(plan.experiments)), names=names)


@dataclass(frozen=True, kw_only=True)
class ChaosNightly(Staged, Paced, HealingCommand):
    """Schedules of experiments drawn from seeds, for a night.

    Each is made on a stack of its own, within a budget of time; failing seeds are kept.
    """

    name = "chaos_nightly"
    example = "--seed 7 --count 50 --budget 90min"

    count: int = option("how many schedules to draw", within(1, _MOST_DRAWN), default=50, metavar="N")
    length: int = option("experiments in each", within(1, _MOST_DRAWN), default=2, metavar="N")
    budget: Duration = option("begin no schedule after this time", _budget, default=Duration("90min"), metavar="TIME")
    least: int = option("fewer made within it hold", within(1, _MOST_DRAWN), default=1, metavar="N")
    shard: Shard | None = option("make part I of N, which together make the night", Shard, metavar="I/N")

    def planned(self) -> NightPlan:
        """The schedules: the one of number n has the seed plus n, and a replay that makes it alone."""
        from harness.rehearsals.chaos import catalogue
        from harness.rehearsals.chaos.catalogue import draw
        from harness.rehearsals.chaos.steady import steady_criteria
        from harness.rehearsals.chaos.types import NightPlan, Schedule

        if self.least > self.count:
            told = message("--least {least} is not within {range}", least=str(self.least), range=f"1..{self.count}")
            raise BadInput(told, where="--least", remedy="ask for fewer, or draw more by --count")
        if self.shard and self.shard.all > self.count:
            told = message(
                "{all} shards share {count} schedules: some would have none",
                all=str(self.shard.all),
                count=str(self.count),
            )
            raise BadInput(told, where="--shard", remedy="ask for fewer shards, or draw more by --count")
        alone = dataclasses.replace(self, on=str(self.chosen_rung()), count=1, least=1, shard=None)
        alone = dataclasses.replace(alone, budget=Duration("90min"))
        mine = self.shard.part if self.shard else slice(None)
        usual = catalogue.usual()  # reads every experiment

        def schedule(seed: int) -> Schedule:
            again = replay(dataclasses.replace(alone, seed=seed))
            return Schedule(seed=seed, drawn=draw(usual, self.length, seed), replay=again)

        scenario = self.scenario_of()
        return NightPlan(
            schedules=tuple(schedule(self.seed + number) for number in range(self.count)[mine]),
            length=self.length,
            budget_s=self.budget.seconds,
            least=max(1, len(range(self.least)[mine])),
            shard=str(self.shard or ""),
            scenario=scenario,
            criteria=steady_criteria(scenario),
            reconcile=self.reconcile,
        )

    def said(self, plan: NightPlan) -> Iterable[Message]:
        yield message(
            "{count} schedules of {length} experiments, seeds {seed} and on",
            count=str(len(plan.schedules)),
            length=str(plan.length),
            seed=str(plan.schedules[0].seed),
        )
        if self.shard:
            yield message("one seed of {all}: the other shards make the rest of the night", all=str(self.shard.all))
