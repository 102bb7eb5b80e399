"""A team's alerts, read from a folder: Prometheus rule files, their Kubernetes forms, Cloud Monitoring policies.

Of a Cloud Monitoring policy each condition is a rule. Whatever else lies in the folder is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.model.message import message
from harness.objectives.foreign.rules import Rule

_SUFFIXES = frozenset((".yaml", ".yml", ".json"))
_CONDITIONS = {
    "conditionPrometheusQueryLanguage", "conditionThreshold", "conditionAbsent", "conditionMonitoringQueryLanguage",
    "conditionMatchedLog", "conditionSql",
}  # fmt: skip
_PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdwy])")
_LENGTHS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}
_METRIC = re.compile(r'metric\.type\s*=\s*"prometheus\.googleapis\.com/([^/"]+)')
_EVERY_S, _CLOUD_EVERY_S = 15.0, 30.0


def read(folder: Path) -> tuple[Rule, ...]:
    """Every rule of the folder and of those beneath it. Raises ``BadInput``, also where there is none."""
    if not folder.is_dir():
        raise BadInput(
            message("there is no folder {folder}", folder=str(folder)),
            where="--alerts",
            remedy="name a folder of rules or policies",
        )
    found: list[Rule] = []
    for path in sorted(each for each in folder.rglob("*") if each.suffix in _SUFFIXES and each.is_file()):
        where = str(path.relative_to(folder))
        for data, lines in yamltext.documents(yamltext.read(path), where, merge_keys=True):
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

    def rules(self, data: Any, path: yamltext.Path_) -> Iterator[Rule]:
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

    def _groups(self, groups: list[Any], path: yamltext.Path_) -> Iterator[Rule]:
        for number, group in enumerate(groups):
            at = (*path, number)
            every_s = self._seconds(self._mapping(group, at).get("interval", f"{_EVERY_S:g}s"), (*at, "interval"))
            for place, rule in enumerate(group.get("rules") or []):
                yield self._rule(self._mapping(rule, (*at, "rules", place)), (*at, "rules", place), every_s)

    def _rule(self, rule: dict[str, Any], path: yamltext.Path_, every_s: float) -> Rule:
        name = rule.get("alert") or rule.get("record")
        if not isinstance(name, str) or not isinstance(rule.get("expr"), str | int | float):
            raise self._bad(path, "a rule without `expr`, or without `alert` or `record`")
        labels = self._mapping(rule.get("labels") or {}, (*path, "labels"))
        return Rule(
            name=name, where=self._place(path), expr=str(rule["expr"]), records="record" in rule, every_s=every_s,
            for_s=self._seconds(rule.get("for", "0s"), (*path, "for")),
            labels={key: str(value) for key, value in labels.items()},
        )  # fmt: skip

    def _policy(self, policy: dict[str, Any], path: yamltext.Path_) -> Iterator[Rule]:
        enabled = policy.get("enabled", True) not in (False, {"value": False})
        for number, each in enumerate(policy["conditions"]):
            at = (*path, "conditions", number)
            kind = next((key for key in self._mapping(each, at) if key in _CONDITIONS), None)
            if kind is None:
                raise self._bad(at, "a condition of no kind that Cloud Monitoring has")
            content, inside = self._mapping(each[kind], (*at, kind)), (*at, kind)
            query = content.get("query", "") if kind == "conditionPrometheusQueryLanguage" else ""
            named = _METRIC.search(str(content.get("filter", "")))
            yield Rule(
                name=f"{policy['displayName']}: {each.get('displayName', number)}",
                where=self._place((*inside, "query") if query else inside), expr=str(query),
                metric="" if named is None else named[1],
                for_s=self._seconds(content.get("duration", "0s"), (*inside, "duration")),
                every_s=self._seconds(content.get("evaluationInterval", f"{_CLOUD_EVERY_S:g}s"), inside),
                channels=tuple(map(str, policy.get("notificationChannels") or ())), enabled=enabled,
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

    def _place(self, path: yamltext.Path_) -> str:
        return yamltext.place(self._where, self._lines, path).partition(", ")[0]

    def _bad(self, path: yamltext.Path_, what: str) -> BadInput:
        return BadInput(what, where=yamltext.place(self._where, self._lines, path), remedy="correct it there")
