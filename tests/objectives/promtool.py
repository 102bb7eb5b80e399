"""``promtool test rules`` on the rendered rules: series and what is expected of them, as one file of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from harness.base import yamltext
from harness.base.data import MONITORING
from harness.rules.objectives.firing import AlertState
from harness.rules.objectives.render import RULES
from harness.stack.kind.images import binaries

_LIMIT_S = 200


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Series by selector, a sample each ``step_s`` from 0 on; by an alert's matchers and moment (s): whether it
    fires then."""

    name: str
    series: Mapping[str, Sequence[float]]
    step_s: int
    fires: Mapping[str, Sequence[tuple[int, bool]]]

    def as_data(self) -> dict[str, object]:
        """The case of the file."""
        return {
            "name": self.name,
            "interval": f"{self.step_s}s",
            "input_series": [
                {"series": name, "values": " ".join(f"{value:.0f}" for value in values)}
                for name, values in self.series.items()
            ],
            "promql_expr_test": [
                {
                    "expr": f'sum(ALERTS{{{alert},alertstate="firing"}})',
                    "eval_time": f"{at_s}s",
                    "exp_samples": [{"value": 1}] if on else [],
                }
                for alert, expected in self.fires.items()
                for at_s, on in expected
            ],
        }


def changes(found: Sequence[tuple[int, AlertState]]) -> list[tuple[int, bool]]:
    """Every moment at which it fires or ceases to, the evaluation before it, and every tenth besides."""
    fires = [(at_s, state is AlertState.FIRING) for at_s, state in found]
    kept = {0, *range(0, len(fires), 10)}
    kept |= {each for n in range(1, len(fires)) if fires[n][1] != fires[n - 1][1] for each in (n - 1, n)}
    return [fires[number] for number in sorted(kept)]


def check(folder: Path, cases: Sequence[Case], every_s: int, rules: Mapping[str, Sequence[str]]) -> str:
    """What promtool says; "" when everything is as expected. By rendered file: which of its alerts and recordings are
    evaluated, every ``every_s``; others cost minutes and say nothing here."""
    found = {folder / f"{name}.yaml": _only(name, wanted) for name, wanted in rules.items()}
    for file, groups in found.items():
        _write(file, {"groups": groups})
    content = {
        "rule_files": [str(file) for file in found],
        "evaluation_interval": f"{every_s}s",
        # As they stand; without an order promtool takes any, and what is recorded may be an evaluation late.
        "group_eval_order": [group["name"] for groups in found.values() for group in groups],
        "tests": [case.as_data() for case in cases],
    }
    return said(folder, content)


def said(folder: Path, content: Mapping[str, Any]) -> str:
    """What promtool says of a file of tests; "" when everything is as expected."""
    path = folder / "test.yaml"
    _write(path, content)
    return _run("test", "rules", path)


def parses(folder: Path, queries: Sequence[str]) -> str:
    """What promtool says of the queries; "" when it parses each."""
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    path = folder / "queries.yaml"
    _write(path, {"groups": [{"name": "queries", "rules": rules}]})
    return _run("check", "rules", path)


def _run(*words: str | Path) -> str:
    command: list[str | Path] = [binaries.PROMETHEUS.folder() / "promtool", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _write(path: Path, content: Any) -> None:
    """As JSON, which is YAML, and written in no time."""
    path.write_bytes(msgspec.json.encode(content))


def _only(name: str, wanted: Sequence[str]) -> list[dict[str, Any]]:
    """The groups of the rendered rules of that name, without the rules that are not ``wanted``."""
    groups = yaml.load((MONITORING / RULES / f"{name}.yaml").read_text(), yamltext.SAFE)["groups"]
    for group in groups:
        group["rules"] = [rule for rule in group["rules"] if rule.get("alert", rule.get("record")) in wanted]
    return [group for group in groups if group["rules"]]
