"""A team's rules, asked of a real Prometheus: how it parses each query, and when each held over a run's course.

A team's rules over a stored run: a drill's with its breaches and made days, any other as it was.

A run's evidence as what Prometheus would have scraped of it, in the document's own time. Pure.

The course of a drill whose minutes were divided is stretched back: what lasted 20 s there lasts 5 minutes here, so that
rules with the document's durations and windows are asked as they are. What users saw is told as the API's own counters,
but for what nobody answered, which it cannot count.
"""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec

from harness.base import yamltext
from harness.base.clock import NS
from harness.base.errors import BadInput
from harness.base.free_port import any_free_port
from harness.base.message import nearest
from harness.evidence.store import Gathered, stored
from harness.model.evidence import ProbeRow, RequestRow
from harness.model.message import Message, gettext_noop, message
from harness.rehearsals.alert_drill import history
from harness.rehearsals.alert_drill.exporter import RowCounter, pasts
from harness.rehearsals.alert_drill.theirs.facts import SCRAPE_S, BreachStretch, QueriedRules, QueryAnswer, SeriesHeld
from harness.rehearsals.alert_drill.types import PROBES, TARGET, USERS, AlertDrillDetails, AlertDrillPlan
from harness.rehearsals.alert_drill.watching import Program, PrometheusBlocks, emitted_by, prometheus_flags
from harness.report.published import RESULT, RESULT_JSON, folder_of
from harness.rules.objectives.firing import spells, states
from harness.rules.objectives.foreign.emitted import CONTRACT, merged
from harness.rules.objectives.foreign.rules import PrometheusRule
from harness.rules.objectives.foreign.selectors import Recorded, Recording, chosen, pruned, selectors
from harness.run.context import RunContext
from harness.run.runner import PLAN_JSON
from harness.stack.kind.images import binaries

# A team's alerts, read from a folder: Prometheus rule files, their Kubernetes forms, Cloud Monitoring policies.
# Of a Cloud Monitoring policy each condition is a rule. Whatever else lies in the folder is left alone.
# The plan of a drill with a team's own alerts: besides the drill, or alone, about a stored run.

_TITLE = gettext_noop("A team's own alerts, asked about a stored run")


def with_theirs(plan: AlertDrillPlan, alerts: Path | None, of: str | None, reports: Path) -> AlertDrillPlan:
    """The plan with the alerts of that folder; of a stored run it drills nothing. Raises ``BadInput``."""
    if alerts is None:
        if of is not None:
            raise BadInput("--of says whose evidence --alerts asks about", where="--of", remedy="add --alerts DIR")
        return plan
    plan = msgspec.structs.replace(plan, theirs=read(alerts))
    if of is None:
        return plan
    folder = str(folder_of(of, reports))
    return msgspec.structs.replace(plan, name="alert_check", title=_TITLE, claims=(), of=folder)


_SUFFIXES = frozenset((".yaml", ".yml", ".json"))
_CONDITIONS = {
    "conditionPrometheusQueryLanguage", "conditionThreshold", "conditionAbsent", "conditionMonitoringQueryLanguage",
    "conditionMatchedLog", "conditionSql",
}  # fmt: skip
#: What each mapping may say, of Prometheus, its kin and Cloud Monitoring. A key that is none of these and near to one
#: is that one misspelt, which no server takes; any other is somebody's own.
_GROUP = (
    "name", "interval", "query_offset", "limit", "rules", "labels", "partial_response_strategy", "source_tenants",
    "align_evaluation_time_on_interval", "evaluation_delay", "namespace", "type", "params", "headers", "concurrency",
    "debug", "eval_offset", "eval_delay", "eval_alignment", "tenant", "notifier_headers", "extra_filter_labels",
)  # fmt: skip
_RULE = (
    "alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations", "type", "debug",
    "update_entries_limit",
)  # fmt: skip
_POLICY = (
    "name", "displayName", "documentation", "userLabels", "conditions", "combiner", "enabled", "validity",
    "notificationChannels", "creationRecord", "mutationRecord", "alertStrategy", "severity",
)  # fmt: skip
_CONDITION = (
    "query", "duration", "evaluationInterval", "labels", "ruleGroup", "alertRule", "disableMetricValidation", "filter",
    "aggregations", "denominatorFilter", "denominatorAggregations", "forecastOptions", "comparison", "thresholdValue",
    "trigger", "evaluationMissingData", "labelExtractors", "minutes", "hourly", "daily", "rowCountTest", "booleanTest",
)  # fmt: skip
#: What a file has that holds rules or policies.
_HOLDS = re.compile(r"\b(?:groups|conditions)\b")
_PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdwy])")
_LENGTHS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}
_METRIC = re.compile(r'metric\.type\s*=\s*"prometheus\.googleapis\.com/([^/"]+)')
_EVERY_S, _CLOUD_EVERY_S = 15.0, 30.0


def read(folder: Path) -> tuple[PrometheusRule, ...]:
    """Every rule of the folder and of those beneath it. Raises ``BadInput``, also where there is none."""
    if not folder.is_dir():
        raise BadInput(
            message("there is no folder {folder}", folder=str(folder)),
            where="--alerts",
            remedy="name a folder of rules or policies",
        )
    found: list[PrometheusRule] = []
    for path in sorted(each for each in folder.rglob("*") if each.suffix in _SUFFIXES and each.is_file()):
        where = str(path.relative_to(folder))
        try:
            documents = yamltext.documents(yamltext.read(path), where, merge_keys=True)
        except BadInput:
            with contextlib.suppress(OSError):
                if _HOLDS.search(path.read_text("utf-8", errors="replace")) is None:
                    continue
            raise
        for data, lines in documents:
            found += _Document(where, lines).rules(data, ())
    if not any(not each.records for each in found):
        raise BadInput(
            message("{folder} holds no alert", folder=str(folder)), where="--alerts",
            remedy="it takes Prometheus' rule files (groups:) and Cloud Monitoring's policies (conditions:)",
        )  # fmt: skip
    return tuple(found)


class _Document:
    """A document of a file, with the lines of its values."""

    def __init__(self, where: str, lines: yamltext.Lines) -> None:
        self._where, self._lines = where, lines

    def rules(self, data: Any, path: yamltext.Path_) -> Iterator[PrometheusRule]:
        """Those of a rule file, of the Kubernetes object around one, of a policy, of a list of policies."""
        if isinstance(data, list):
            for number, each in enumerate(data):
                yield from self.rules(each, (*path, number))
        if not isinstance(data, dict):
            return
        if isinstance(data.get("groups"), list):
            yield from self._groups(data["groups"], (*path, "groups"))
        elif isinstance(data.get("conditions"), list) and "displayName" in data:
            yield from self._policy(data, path)
        for key in ("spec", "alertPolicies", "items"):
            yield from self.rules(data.get(key), (*path, key))

    def _groups(self, groups: list[Any], path: yamltext.Path_) -> Iterator[PrometheusRule]:
        for number, group in enumerate(groups):
            at = (*path, number)
            self._spelt(self._mapping(group, at), _GROUP, at)
            every_s = self._seconds(group.get("interval", f"{_EVERY_S:g}s"), (*at, "interval"))
            for place, rule in enumerate(self._list(group, "rules", at)):
                yield self._rule(self._mapping(rule, (*at, "rules", place)), (*at, "rules", place), every_s)

    def _rule(self, rule: dict[str, Any], path: yamltext.Path_, every_s: float) -> PrometheusRule:
        self._spelt(rule, _RULE, path)
        name = rule.get("alert") or rule.get("record")
        if not isinstance(name, str) or not isinstance(rule.get("expr"), str | int | float):
            raise self._bad(path, "a rule without `expr`, or without `alert` or `record`")
        labels = self._mapping(rule.get("labels") or {}, (*path, "labels"))
        return PrometheusRule(
            name=name, where=self._place(path), expr=str(rule["expr"]), records="record" in rule, every_s=every_s,
            for_s=self._seconds(rule.get("for", "0s"), (*path, "for")),
            labels={key: str(value) for key, value in labels.items()},
        )  # fmt: skip

    def _policy(self, policy: dict[str, Any], path: yamltext.Path_) -> Iterator[PrometheusRule]:
        self._spelt(policy, _POLICY, path)
        enabled = policy.get("enabled", True) not in (False, {"value": False})
        channels = tuple(map(str, self._list(policy, "notificationChannels", path)))
        for number, each in enumerate(policy["conditions"]):
            at = (*path, "conditions", number)
            kind = next((key for key in self._mapping(each, at) if key in _CONDITIONS), None)
            if kind is None:
                raise self._bad(at, "a condition of no kind that Cloud Monitoring has")
            content, inside = self._mapping(each[kind], (*at, kind)), (*at, kind)
            query = content.get("query", "") if kind == "conditionPrometheusQueryLanguage" else ""
            self._spelt(content, _CONDITION, inside)
            named = _METRIC.search(str(content.get("filter", "")))
            yield PrometheusRule(
                name=f"{policy['displayName']}: {each.get('displayName', number)}",
                where=self._place((*inside, "query") if query else inside), expr=str(query),
                metric="" if named is None else named[1],
                for_s=self._seconds(content.get("duration", "0s"), (*inside, "duration")),
                every_s=self._seconds(content.get("evaluationInterval", f"{_CLOUD_EVERY_S:g}s"), inside),
                channels=channels, enabled=enabled,
            )  # fmt: skip

    def _seconds(self, text: Any, path: yamltext.Path_) -> float:
        parts = _PARTS.findall(str(text))
        if str(text) not in ("0", "".join(map("".join, parts))):
            raise self._bad(path, f"{text!r} is no duration such as 5m or 300s")
        return sum(float(number) * _LENGTHS_S[unit] for number, unit in parts)

    def _mapping(self, data: Any, path: yamltext.Path_) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise self._bad(path, "this must be a mapping of keys")
        return data

    def _list(self, data: dict[str, Any], key: str, path: yamltext.Path_) -> list[Any]:
        found = data.get(key) or []
        if not isinstance(found, list):
            raise self._bad((*path, key), "this must be a list")
        return found

    def _spelt(self, data: dict[str, Any], known: tuple[str, ...], path: yamltext.Path_) -> None:
        for key in data:
            if key not in known and (near := nearest(key, known)):
                raise self._bad((*path, key), message("unknown key {key}{near}", key=repr(key), near=near))

    def _place(self, path: yamltext.Path_) -> str:
        return yamltext.place(self._where, self._lines, path).partition(", ")[0]

    def _bad(self, path: yamltext.Path_, what: Message | str) -> BadInput:
        return BadInput(what, where=yamltext.place(self._where, self._lines, path), remedy="correct it there")


Samples: TypeAlias = dict[str, list[tuple[float, str]]]
R = TypeVar("R", RequestRow, ProbeRow)


class RuleCourse(msgspec.Struct, frozen=True, kw_only=True):
    """From ``begin_ns`` to ``end_ns`` (monotonic) of a run, of which each second is ``scale`` here; it ends at
    ``end_unix_s``. ``trials`` are its breaches; ``plan`` and ``drill`` are a drill's own, whose days before are made.
    """

    begin_ns: int
    end_ns: int
    end_unix_s: float
    scale: float = 1.0
    trials: tuple[tuple[str, int, int], ...] = ()
    plan: AlertDrillPlan | None = None
    drill: AlertDrillDetails | None = None

    @property
    def emitted(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """What a drill's Prometheus had scraped of the target itself; {} of any other run."""
        return {} if self.drill is None else self.drill.emitted

    @property
    def seconds(self) -> float:
        """How long it is here."""
        return (self.end_ns - self.begin_ns) / NS * self.scale

    @property
    def begin_unix_s(self) -> float:
        """When it begins here."""
        return self.end_unix_s - self.seconds

    def since_begin_s(self, at_ns: int) -> float:
        """A moment of the run, here."""
        return (at_ns - self.begin_ns) / NS * self.scale

    def stretches(self) -> tuple[BreachStretch, ...]:
        """Its breaches, here."""
        return tuple(
            BreachStretch(name=name, begin_s=self.since_begin_s(begun_ns), end_s=self.since_begin_s(ended_ns))
            for name, begun_ns, ended_ns in self.trials
        )


def of_drill(plan: AlertDrillPlan, details: AlertDrillDetails, end_unix_s: float) -> RuleCourse:
    """The course of a drill."""
    return RuleCourse(
        begin_ns=details.origin_ns, end_ns=details.asked_ns, end_unix_s=end_unix_s, scale=plan.scale, plan=plan,
        drill=details, trials=tuple((each.trial, each.begun_ns, each.ended_ns) for each in details.planted),
    )  # fmt: skip


def of_run(evidence: Gathered, end_unix_s: float) -> RuleCourse:
    """The course of any other run: from its first request or probe to its last."""
    times = [(row.sent_ns, row.done_ns) for row in evidence.requests]
    times += [(row.sent_ns, row.done_ns) for row in evidence.probes]
    begin_ns, end_ns = min((sent for sent, _ in times), default=0), max((done for _, done in times), default=0)
    return RuleCourse(begin_ns=begin_ns, end_ns=end_ns, end_unix_s=end_unix_s)


def scraped(course: RuleCourse, evidence: Gathered) -> Samples:
    """By series, every sample as (Unix seconds, value)."""
    past, found = None if course.plan is None else pasts(course.plan), Samples()
    for made in past.series() if past else ():
        samples = found.setdefault(_labelled(made.series, _job(made.job)), [])
        samples += [(at_s, made.told(bad, good)) for at_s, bad, good in _made(course, made.past)]
    seen = RowCounter(past)
    requests, probes = _Rows([each for each in evidence.requests if each.status]), _Rows(evidence.probes)
    for number in range(int(course.seconds // SCRAPE_S) + 1):
        until_ns = course.begin_ns + round(number * SCRAPE_S / course.scale * NS)
        seen.see(requests.until(until_ns), probes.until(until_ns))
        for job, page in ((TARGET, seen.users_page()), (PROBES, seen.probes_page())):
            for series, value in _read(page, job):
                found.setdefault(series, []).append((course.begin_unix_s + number * SCRAPE_S, value))
    return found


class _Rows(Generic[R]):
    """Rows by the moment at which they were done, each given out once."""

    def __init__(self, rows: Iterable[R]) -> None:
        self._left: deque[R] = deque(sorted(rows, key=lambda row: row.done_ns))

    def until(self, at_ns: int) -> list[R]:
        """Those that were done by then, and were not given out."""
        found: list[R] = []
        while self._left and self._left[0].done_ns <= at_ns:
            found.append(self._left.popleft())
        return found


def _read(page: str, job: str) -> Iterator[tuple[str, str]]:
    """The series of a page of metrics and their values."""
    for line in page.splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            yield _labelled(series, job), value


def _job(page: str) -> str:
    """What users saw is told as the target's own."""
    return TARGET if page == USERS else page


def _made(course: RuleCourse, past: history.Past) -> Iterator[tuple[float, float, float]]:
    """The made days, whose old outage leaves the windows when it does in the drill."""
    assert course.drill is not None
    leaves_s = course.begin_unix_s + course.since_begin_s(course.drill.leaves_ns)
    for at_ns, bad, good in past.samples(round(leaves_s * NS), round((course.begin_unix_s - SCRAPE_S) * NS)):
        yield at_ns / NS, bad, good


def _labelled(series: str, job: str) -> str:
    name, _, labels = series.partition("{")
    more = f'job="{job}",instance="run"'
    return f"{name}{{{labels.removesuffix('}')},{more}}}" if labels else f"{name}{{{more}}}"


def open_metrics(samples: Mapping[str, Sequence[tuple[float, str]]]) -> str:
    """As OpenMetrics text, a metric after the other."""
    by_metric = sorted(samples.items(), key=lambda each: each[0].partition("{")[0])
    lines = [f"{series} {value} {at_s:.3f}" for series, values in by_metric for at_s, value in values]
    return "\n".join([*lines, "# EOF"]) + "\n"


async def of_stored(plan: AlertDrillPlan, on: RunContext[AlertDrillDetails]) -> QueriedRules:
    """What the plan's rules do over the run in its folder ``of``. Raises ``BadInput`` where that holds none."""
    folder, now_s = Path(plan.of), on.clock.wall_ns() / NS
    result = RESULT.read(folder / RESULT_JSON)
    evidence = stored(folder, result.evidence_digest)
    if not evidence.requests and not evidence.probes:
        raise BadInput("the run holds no request and no probe", where=str(folder), remedy="name a run with users")
    course = of_run(evidence, now_s)
    if result.rehearsal == "alert_drill":
        details = msgspec.convert(result.details, AlertDrillDetails)
        drilled = msgspec.json.decode((folder / PLAN_JSON).read_bytes(), type=AlertDrillPlan)
        if details.asked_ns:
            course = of_drill(drilled, details, now_s)
    found = await asked(plan.theirs, course, evidence, on)
    return msgspec.structs.replace(found, run=result.run_id)


_ERROR = re.compile(r'^invalid parameter "query": (?:\d+:\d+: )?(?:parse error: )?')
_BAD_REQUEST, _NOT_EVALUATED = 400, 422


async def asked(
    rules: Sequence[PrometheusRule], course: RuleCourse, evidence: Gathered, on: RunContext[AlertDrillDetails]
) -> QueriedRules:
    """What there is to say of the rules, in their order. Raises ``StackNotStarted``, ``PartDied``."""
    folder = await binaries.ensure(binaries.PROMETHEUS, on.say)
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
    return QueriedRules(
        seconds=course.seconds, scale=course.scale, answers=tuple(answers[n] for n in range(len(rules))),
        emitted=merged(CONTRACT, emitted, course.emitted), course=course.stretches(),
    )  # fmt: skip


async def _recorded(
    rules: Sequence[PrometheusRule], answers: Mapping[int, QueryAnswer], course: RuleCourse, server: _Server
) -> None:
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


def _needed(rules: Sequence[PrometheusRule], trees: Mapping[int, Mapping[str, Any]]) -> list[int]:
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

    def __init__(self, on: RunContext[AlertDrillDetails], promtool: Any) -> None:
        self._on, self._promtool = on, promtool
        self._folder = on.folder / "monitoring" / "theirs"
        self._data = PrometheusBlocks(self._folder / "data")
        on.register_cleanup(self._data)
        self.program = self._made()

    def _made(self) -> Program:
        program = Program("Prometheus", self._on.run_id, self._folder / "prometheus.log", any_free_port())
        self._on.register_cleanup(program)
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

    async def parsed(self, rule: PrometheusRule) -> QueryAnswer:
        """How it parses the rule's query."""
        if not rule.expr:
            return QueryAnswer()
        answer = await self.program.get(f"/api/v1/parse_query?query={quote(rule.expr)}")
        if answer.status == _BAD_REQUEST:
            return QueryAnswer(refused=_ERROR.sub("", msgspec.json.decode(answer.body)["error"]))
        return QueryAnswer(tree=pruned(self.program.said(answer)["data"]))

    async def held(self, rule: PrometheusRule, answer: QueryAnswer, course: RuleCourse) -> QueryAnswer:
        """When the rule held and when it fires, of each of its series."""
        got = await self._range(rule, course)
        if isinstance(got, str):
            return msgspec.structs.replace(answer, refused=got)
        return msgspec.structs.replace(answer, held=tuple(_held(rule, course, each) for each in got))

    async def records(self, rule: PrometheusRule, course: RuleCourse) -> Samples:
        """The samples of a recording."""
        got = await self._range(rule, course)
        found: Samples = {}
        for each in () if isinstance(got, str) else got:
            labels = {**each["metric"], **rule.labels}
            labels.pop("__name__", None)
            shown = ",".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in sorted(labels.items()))
            found[f"{rule.name}{{{shown}}}"] = [(float(at_s), value) for at_s, value in each["values"]]
        return found

    async def _range(self, rule: PrometheusRule, course: RuleCourse) -> list[Any] | str:
        """Its values over the course; what is wrong where it cannot be evaluated."""
        over = f"start={course.begin_unix_s:.3f}&end={course.end_unix_s:.3f}&step={rule.every_s:g}"
        answer = await self.program.get(f"/api/v1/query_range?query={quote(rule.expr)}&{over}")
        if answer.status == _NOT_EVALUATED:
            return str(msgspec.json.decode(answer.body)["error"])
        data: list[Any] = self.program.said(answer)["data"]["result"]
        return data


def _held(rule: PrometheusRule, course: RuleCourse, series: Mapping[str, Any]) -> SeriesHeld:
    """By its evaluations: an alert's query holds where it has a value at all."""
    every_ms, begin_ms = round(rule.every_s * 1000), round(course.begin_unix_s * 1000)
    there = {round((float(at_s) * 1000 - begin_ms) / every_ms) for at_s, _ in series["values"]}
    last = round(course.seconds * 1000) // every_ms
    evaluated = [(number * every_ms, number in there) for number in range(last + 1)]
    lengths = (
        ((last + 1) * every_ms if each.resolved_ms is None else each.resolved_ms) - each.fired_ms - every_ms
        for each in spells(states(evaluated, 0))
    )
    return SeriesHeld(
        labels=dict(series["metric"]), longest_s=max(lengths, default=0) / 1000,
        spells=tuple(spells(states(evaluated, round(rule.for_s * 1000)))),
    )  # fmt: skip
