"""A plan in parts: each is run where the environment has what it needs, and of the others it is said what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.judge.window import NS
from harness.model.judgement import Judgement
from harness.model.message import message
from harness.model.parts import PartOfPlan, PartRun, Runs, title_of
from harness.model.result import Part
from harness.model.verdict import Verdict
from harness.rehearsal.running import Running
from harness.report.words import lacking_words


def lacking(part: PartOfPlan, capabilities: Iterable[str]) -> tuple[str, ...]:
    """What ``part`` needs and the environment has not."""
    return tuple(sorted(set(part.needs) - {str(each) for each in capabilities}))


def any_runs(parts: Iterable[PartOfPlan], on: Running[Any]) -> bool:
    """Whether the environment has what one of ``parts`` needs: else nothing need be brought up."""
    return any(not lacking(part, on.stack.capabilities) for part in parts)


def begin(part: PartOfPlan, on: Running[Any], runs: Runs) -> bool:
    """Begins ``part``, in the evidence and on the terminal; ``False`` when the environment lacks something for it."""
    missing = lacking(part, on.stack.capabilities)
    if missing:
        runs[part.name] = PartRun(lacking=missing)
        on.say(message("{part}: not exercised: {why}", part=part.name, why=lacking_words(missing)))
        return False
    runs[part.name] = PartRun(start_ns=on.clock.now_ns())
    on.evidence.event(runs[part.name].start_ns, "phase", "part", title_of(part), name=part.name)
    on.say(message("{part}: {title}", part=part.name, title=title_of(part)))
    return True


def end(part: PartOfPlan, on: Running[Any], runs: Runs) -> None:
    """Ends ``part``: what is judged of it was seen until now."""
    runs[part.name].end_ns = on.clock.now_ns()
    on.mark(part.name)


def tell(on: Running[Any], judgements: Iterable[Judgement]) -> None:
    """A line on the terminal for each."""
    for each in judgements:
        on.say(f"  {each.verdict}: {each.claim or each.id}: {each.reason}")


def claims_of(parts: Iterable[PartOfPlan]) -> list[tuple[str, str]]:
    """Every claim of every part, as ``Rehearsal.claims`` wants them."""
    return [(part.name, claim) for part in parts for claim in part.claims]


def pages_of(parts: Iterable[PartOfPlan], runs: Mapping[str, PartRun]) -> Sequence[Part]:
    """The parts as the page has them, with the seconds that each took."""
    return [Part(name=part.name, title=title_of(part), seconds=_seconds(runs.get(part.name))) for part in parts]


def not_exercised(parts: Iterable[PartOfPlan], runs: Mapping[str, PartRun]) -> Iterator[Judgement]:
    """The claims of the parts that the environment lacked something for: they gate nothing."""
    for part in parts:
        run = runs.get(part.name)
        if run is not None and run.lacking:
            for claim in part.claims:
                yield Judgement(
                    id=claim, part=part.name, claim=claim, verdict=Verdict.NOT_EXERCISED, gates=False,
                    told=(lacking_words(run.lacking),),
                )  # fmt: skip


def _seconds(run: PartRun | None) -> float:
    return 0.0 if run is None or run.end_ns is None else (run.end_ns - run.start_ns) / NS
