"""A team's alerts, read from a folder: Prometheus rule files, their Kubernetes forms, Cloud Monitoring policies.

Of a Cloud Monitoring policy each condition is a rule. Whatever else lies in the folder is left alone.

The plan of a drill with a team's own alerts: besides the drill, or alone, about a stored run.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.base.message import nearest
from harness.model.message import Message, gettext_noop, message
from harness.rehearsals.alert_drill.types import AlertDrillPlan
from harness.report.published import folder_of
from harness.rules.objectives.foreign.rules import PrometheusRule

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
