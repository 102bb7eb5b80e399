"""Writes what is rendered of ``deploy/monitoring/slo``: ``python -m harness.cli.monitoring``. Tests hold it current.

Sloth renders the burn-rate rules of each objective; the alerts as written, the Cloud Monitoring policies and the
dashboard are ours. Sloth is a program that has to be built: a digest in the first line of its rules says without it
whether they are of the objectives as they now are.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import yaml

from harness.base.clock import MachineClock
from harness.base.data import MONITORING
from harness.objectives import render
from harness.objectives.alerts import four
from harness.objectives.files import defined, objective_files
from harness.objectives.sealing import MADE, sealed, windows_of
from harness.stack.kind.commands import run
from harness.stack.kind.images import binaries

RULES = "prometheus/rules"
_LIMIT_S = 60.0


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stand as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def as_yaml(data: Any) -> str:
    """For people."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _json(data: Any) -> str:
    return (msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n").decode()


def rendered() -> dict[str, str]:
    """By its path below ``deploy/monitoring``: the text of every file that is ours to render."""
    known = defined()
    alerts = tuple(four(known))
    policies = [render.policy(alert) for alert in alerts]
    policies += [render.burn_policy(each, pages=pages) for each in known for pages in (True, False)]
    return {
        f"{RULES}/as-written.yaml": MADE + as_yaml(render.rules(alerts)),
        "prometheus-adapter/config.yaml": MADE + as_yaml(render.external_metrics()),
        "grafana/objectives.json": _json(render.dashboard(known)),
        **{f"cloud-monitoring/{policy['displayName'].rpartition('/')[2]}.json": _json(policy) for policy in policies},
    }


async def by_sloth(into: Path) -> None:
    """Writes Sloth's rules of each file of objectives into ``into``, sealed. Raises ``StackNotStarted``."""
    sloth = await binaries.ensure(binaries.SLOTH, MachineClock(), print) / "sloth"
    for path, days in objective_files():
        own = ("--slo-period-windows-path", windows_of(path).parent) if windows_of(path).exists() else ()
        made = into / path.name
        command = (sloth, "generate", "-i", path, "-o", made, "--default-slo-period", f"{days}d", *own)
        await run(command, what=f"rendering {path.name} by Sloth", limit_s=_LIMIT_S)
        made.write_text(sealed(path, binaries.SLOTH.version(), made.read_text()))


def main() -> None:
    """Writes every file."""
    (MONITORING / RULES).mkdir(parents=True, exist_ok=True)
    for name, text in rendered().items():
        (MONITORING / name).parent.mkdir(parents=True, exist_ok=True)
        (MONITORING / name).write_text(text)
    asyncio.run(by_sloth(MONITORING / RULES))


if __name__ == "__main__":
    main()
