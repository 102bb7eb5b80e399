"""A team's rules, asked of a real Prometheus: how it parses each query, and when each held over a run's course."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from harness.evidence.gathered import Gathered
from harness.model.message import message
from harness.objectives.firing import spells, states
from harness.objectives.foreign.emitted import CONTRACT, merged
from harness.objectives.foreign.rules import Rule
from harness.objectives.foreign.selectors import Recorded, Recording, chosen, pruned, selectors
from harness.rehearsal.running import Running
from harness.rehearsals.alert_drill.programs import Data, Program, emitted_by, prometheus_flags
from harness.rehearsals.alert_drill.theirs.course import Course, Samples, open_metrics, scraped
from harness.rehearsals.alert_drill.theirs.facts import Answer, Asked, Held
from harness.rehearsals.alert_drill.types import AlertDrillDetails
from harness.stack.free_port import any_free_port
from harness.stack.kind.images import binaries

_ERROR = re.compile(r'^invalid parameter "query": (?:\d+:\d+: )?(?:parse error: )?')
_BAD_REQUEST, _NOT_EVALUATED = 400, 422


async def asked(rules: Sequence[Rule], course: Course, evidence: Gathered, on: Running[AlertDrillDetails]) -> Asked:
    """What there is to say of the rules, in their order. Raises ``StackNotStarted``, ``PartDied``."""
    folder = await binaries.ensure(binaries.PROMETHEUS, on.clock, on.say)
    samples = scraped(course, evidence)
    on.say(
        message(
            "asking Prometheus about {rules} rules over {minutes} minutes",
            rules=str(len(rules)),
            minutes=f"{course.seconds / 60:.0f}",
        )
    )
    server = _Server(on, folder / "promtool")
    await server.restarted(samples)
    emitted = await emitted_by(server.program, 'instance="run"')
    answers = {n: await server.parsed(rule) for n, rule in enumerate(rules)}
    await _recorded(rules, answers, course, server)
    for number, rule in enumerate(rules):
        if not rule.records and answers[number].tree:
            answers[number] = await server.held(rule, answers[number], course)
    await server.program.down()
    return Asked(
        seconds=course.seconds, scale=course.scale, answers=tuple(answers[n] for n in range(len(rules))),
        emitted=merged(CONTRACT, emitted, course.emitted), course=course.stretches(),
    )  # fmt: skip


async def _recorded(rules: Sequence[Rule], answers: Mapping[int, Answer], course: Course, server: _Server) -> None:
    """Recordings that an alert rests on are evaluated first, those that rest on others after these."""
    trees = {n: answers[n].tree for n, rule in enumerate(rules) if answers[n].tree}
    left = _needed(rules, trees)
    while left:
        of = {n: Recording(rules[n].name, rules[n].labels, trees[n]) for n in left}
        ready = [n for n in left if all(each is of[n] for each in _beneath(of[n], [*of.values()]))]
        made: Samples = {}
        for number in ready or left:
            made |= await server.records(rules[number], course)
        await server.restarted(made)
        left = [n for n in left if n not in ready] if ready else []


def _beneath(made: Recording, recorded: Recorded) -> Iterator[Recording]:
    return (each for one in selectors(made.tree) for each, _ in chosen(one, recorded))


def _needed(rules: Sequence[Rule], trees: Mapping[int, Mapping[str, Any]]) -> list[int]:
    """Of the recordings those that an alert asks for, itself or by another."""
    wanted = {each.metric for n, tree in trees.items() if not rules[n].records for each in selectors(tree)}
    while True:
        found = [n for n in trees if rules[n].records and rules[n].name in wanted]
        more = {each.metric for n in found for each in selectors(trees[n])} - wanted
        if not more:
            return found
        wanted |= more


class _Server:
    """A Prometheus that scrapes nothing, over blocks that are made."""

    def __init__(self, on: Running[AlertDrillDetails], promtool: Any) -> None:
        self._on, self._promtool = on, promtool
        self._folder = on.folder / "monitoring" / "theirs"
        self._data = Data(self._folder / "data")
        on.hold(self._data)
        self.program = self._made()

    def _made(self) -> Program:
        program = Program("Prometheus", self._on.run_id, self._folder / "prometheus.log", any_free_port())
        self._on.hold(program)
        return program

    async def restarted(self, samples: Samples) -> None:
        """It, anew, with these samples besides."""
        await self.program.down()
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "prometheus.yaml"
        config.write_text("global: {}\n")
        if samples:
            await self._data.backfill(self._promtool, open_metrics(samples))
        self.program = self._made()
        flags = prometheus_flags(config, self._data.folder, self.program.address.port)
        await self.program.start(self._promtool.with_name("prometheus"), *flags)
        await self.program.ready(self._on.clock)

    async def parsed(self, rule: Rule) -> Answer:
        """How it parses the rule's query."""
        if not rule.expr:
            return Answer()
        answer = await self.program.get(f"/api/v1/parse_query?query={quote(rule.expr)}")
        if answer.status == _BAD_REQUEST:
            return Answer(refused=_ERROR.sub("", msgspec.json.decode(answer.body)["error"]))
        return Answer(tree=pruned(self.program.said(answer)["data"]))

    async def held(self, rule: Rule, answer: Answer, course: Course) -> Answer:
        """When the rule held and when it fires, of each of its series."""
        got = await self._range(rule, course)
        if isinstance(got, str):
            return msgspec.structs.replace(answer, refused=got)
        return msgspec.structs.replace(answer, held=tuple(_held(rule, course, each) for each in got))

    async def records(self, rule: Rule, course: Course) -> Samples:
        """The samples of a recording."""
        got = await self._range(rule, course)
        found: Samples = {}
        for each in () if isinstance(got, str) else got:
            labels = {**each["metric"], **rule.labels}
            labels.pop("__name__", None)
            shown = ",".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in sorted(labels.items()))
            found[f"{rule.name}{{{shown}}}"] = [(float(at_s), value) for at_s, value in each["values"]]
        return found

    async def _range(self, rule: Rule, course: Course) -> list[Any] | str:
        """Its values over the course; what is wrong where it cannot be evaluated."""
        over = f"start={course.begin_unix_s:.3f}&end={course.end_unix_s:.3f}&step={rule.every_s:g}"
        answer = await self.program.get(f"/api/v1/query_range?query={quote(rule.expr)}&{over}")
        if answer.status == _NOT_EVALUATED:
            return str(msgspec.json.decode(answer.body)["error"])
        data: list[Any] = self.program.said(answer)["data"]["result"]
        return data


def _held(rule: Rule, course: Course, series: Mapping[str, Any]) -> Held:
    """By its evaluations: an alert's query holds where it has a value at all."""
    every_ms, begin_ms = round(rule.every_s * 1000), round(course.begin_unix_s * 1000)
    there = {round((float(at_s) * 1000 - begin_ms) / every_ms) for at_s, _ in series["values"]}
    last = round(course.seconds * 1000) // every_ms
    evaluated = [(number * every_ms, number in there) for number in range(last + 1)]
    lengths = (
        ((last + 1) * every_ms if each.resolved_ms is None else each.resolved_ms) - each.fired_ms - every_ms
        for each in spells(states(evaluated, 0))
    )
    return Held(
        labels=dict(series["metric"]), longest_s=max(lengths, default=0) / 1000,
        spells=tuple(spells(states(evaluated, round(rule.for_s * 1000)))),
    )  # fmt: skip
