"""``chaos``: experiments of Chaos Toolkit under users and probes; ``rolling_update`` is a plan of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from harness.judge.difference import Ratio
from harness.judge.window import NS
from harness.model.judgement import Judgement
from harness.model.manifests import Manifests
from harness.model.message import Message, message
from harness.model.result import Part
from harness.model.section import Cell, Row, Section, Table, table_of
from harness.model.stack import Rung, lacks
from harness.rehearsal.options import Options
from harness.rehearsal.rehearsal import Figure, Rehearsal, Seen
from harness.rehearsal.running import Running
from harness.rehearsals.chaos import judge_run
from harness.rehearsals.chaos.flow import Experiments
from harness.rehearsals.chaos.judge import Figures, figures
from harness.rehearsals.chaos.judge_failover import failover_of
from harness.rehearsals.chaos.types import ChaosDetails, ChaosPlan, FailoverSeen, Made
from harness.stack.protocol import StackNeeds

#: The parts of ``rolling_update`` by name.
AS_WRITTEN, GRACEFUL = "as_written", "graceful"
_TITLES = {
    AS_WRITTEN: message("The manifests as they are"),
    GRACEFUL: message("With the component graceful"),
}


class Chaos(Rehearsal[ChaosPlan, ChaosDetails]):
    """The rehearsal."""

    name = "chaos"
    plan, details = ChaosPlan, ChaosDetails

    def title(self, plan: ChaosPlan) -> Message:
        """How many experiments; of one that is made again and again, what it is."""
        titles = {each.experiment.title for each in plan.experiments}
        if len(titles) == 1:
            return Message(text=titles.pop())
        return message("Chaos: {count} experiments", count=str(len(plan.experiments)))

    def claims(self, plan: ChaosPlan) -> Iterable[tuple[str, str]]:
        """Of each experiment its own."""
        for number, planned in enumerate(plan.experiments, 1):
            expects = planned.experiment.expects
            for claim in (*expects.claims, *filter(None, (expects.spreads,))):
                yield judge_run.part_of(plan, number), claim

    def parts(self, plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Sequence[Part]:
        """Each experiment, or those that the plan names."""
        took: Counter[str] = Counter()
        for made in seen.details.made:
            took[judge_run.part_of(plan, made.number)] += made.end_ns - made.begun_ns
        titles: dict[str, Message] = {}
        for number, planned in enumerate(plan.experiments, 1):
            part = judge_run.part_of(plan, number)
            titles.setdefault(part, _TITLES.get(part, Message(text=planned.experiment.title)))
        return [Part(name=name, title=title, seconds=took[name] / NS) for name, title in titles.items()]

    def arrange(self, plan: ChaosPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """On local the experiments break what is kept; of a kept cluster only what they do to its nodes."""
        expects = [each.experiment.expects for each in plan.experiments]
        of_cluster = options.rung is Rung.KIND and not any(each.breaks_nodes for each in expects)
        return StackNeeds(
            manifests=manifests,
            use_kept=plan.only_pods or of_cluster,
            every_program=any(each.failover is not None for each in expects),
        )

    async def run(self, plan: ChaosPlan, on: Running[ChaosDetails]) -> None:
        """Nothing is brought up where the environment lacks what every experiment takes."""
        if not all(lacks(each.experiment.expects.needs, on.stack.capabilities) for each in plan.experiments):
            await Experiments(plan, on).run()

    def judge(self, plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Iterable[Judgement]:
        """Every experiment, then the checks of the whole run."""
        facts = seen.facts
        yield from judge_run.experiments(
            plan, seen.details, seen.evidence, seed=facts.seed, capabilities=facts.capabilities
        )
        yield from judge_run.checks(plan, seen.details, seen.evidence)

    def sections(self, plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Iterable[Section]:
        """The figures of each experiment, and how a database failed over."""
        made = seen.details.made
        if made:
            yield _experiments_table(plan, [(each, figures(seen.evidence.ledger, each)) for each in made])
        failovers = [*_failovers(plan, seen)]
        if failovers:
            yield _failovers_table(failovers)

    def figures(self, plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Iterable[Figure]:
        """The share of requests and probes that failed in each experiment."""
        made = {each.number: each for each in seen.details.made}
        for number, name in enumerate(judge_run.names(plan), 1):
            found = figures(seen.evidence.ledger, made[number]) if number in made else None
            sample = Ratio(found.failed if found else 0, found.calls if found else 0)
            yield Figure(f"{judge_run.part_of(plan, number)} {name}: failed", "ratio", "worse", sample, gates=True)


def _experiments_table(plan: ChaosPlan, rows: Sequence[tuple[Made, Figures]]) -> Table:
    def experiment(of: tuple[Made, Figures]) -> Message:
        return message("{number}. {title}", number=str(of[0].number), title=_title(plan, of[0]))

    return table_of(
        message("Experiments"),
        rows,
        (message("Experiment"), experiment),
        (message("Failed"), lambda of: message("{failed} of {all}", failed=str(of[1].failed), all=str(of[1].calls))),
        (message("Outage"), lambda of: _seconds(of[1].outage_s)),
        (message("Steady again"), lambda of: _seconds(of[1].recovered_s)),
        (message("Chaos Toolkit says"), lambda of: of[0].status or "–"),
        row=lambda of: Row(cells=(), link=of[0].journal),
        numbers=(1, 2, 3),
    )


def _title(plan: ChaosPlan, made: Made) -> Message:
    return Message(text=plan.experiments[made.number - 1].experiment.title)


def _failovers(plan: ChaosPlan, seen: Seen[ChaosDetails]) -> Iterator[tuple[Made, FailoverSeen]]:
    evidence = seen.evidence
    for made in seen.details.made:
        failover = plan.experiments[made.number - 1].experiment.expects.failover
        if failover is not None:
            found = failover_of(made, failover, evidence.events, evidence.requests, evidence.probes)
            if found is not None:
                yield made, found


def _failovers_table(failovers: Sequence[tuple[Made, FailoverSeen]]) -> Table:
    stand_in = message(
        "A stand-in for Cloud SQL's regional disk replication: here PostgreSQL streams its WAL to a standby, a "
        "heartbeat of the rehearsal's own detects the loss, and the sidecars are pointed at the standby in place "
        "of an address that moves. Detection and promotion take other times at Cloud SQL."
    )
    return table_of(
        message("Failover of the database"),
        failovers,
        (message("Experiment"), lambda of: str(of[0].number)),
        (message("Commit"), lambda of: message("synchronous") if of[1].synchronous else message("asynchronous")),
        (message("Detected after"), lambda of: _seconds(of[1].detect_s)),
        (message("Promoted in"), lambda of: f"{of[1].promote_s:.2f} s"),
        (message("Pods switched in"), lambda of: f"{of[1].lead_s:.2f} s"),
        (message("Writes failed for"), lambda of: _seconds(of[1].outage_s)),
        numbers=(2, 3, 4, 5),
        note=(stand_in,),
    )


def _seconds(value: float | None) -> Cell:
    return "–" if value is None else f"{value:.1f} s"


REHEARSAL = Chaos()
