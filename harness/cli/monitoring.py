"""Writes what is rendered of ``deploy/monitoring/slo``: ``python -m harness.cli.monitoring``. Tests hold it current.

Sloth renders the burn-rate rules of each objective; the alerts as written, the Cloud Monitoring policies and the
dashboard are ours. Sloth is a program that has to be built: a digest in the first line of its rules says without it
whether they are of the objectives as they now are.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.base.data import MONITORING
from harness.rules.objectives.files import BLACKBOX, SLO, objective_files
from harness.rules.objectives.render import RULES, rendered, sealed, windows_of
from harness.stack.kind.commands import run
from harness.stack.kind.images import binaries

_LIMIT_S = 60.0


async def by_sloth(into: Path, slo: Path = SLO) -> None:
    """Writes Sloth's rules of each file of objectives of ``slo`` into ``into``, sealed. Raises ``StackNotStarted``."""
    sloth = await binaries.ensure(binaries.SLOTH, print) / "sloth"
    for path, days in objective_files(slo):
        own = ("--slo-period-windows-path", windows_of(path).parent) if windows_of(path).exists() else ()
        made = into / path.name
        command = (sloth, "generate", "-i", path, "-o", made, "--default-slo-period", f"{days}d", *own)
        await run(command, what=f"rendering {path.name} by Sloth", limit_s=_LIMIT_S)
        made.write_text(sealed(path, binaries.SLOTH.version(), made.read_text()))


def main() -> None:
    """Writes every file."""
    for name, text in rendered().items():
        (MONITORING / name).parent.mkdir(parents=True, exist_ok=True)
        (MONITORING / name).write_text(text)
    for folder in (MONITORING, BLACKBOX):
        asyncio.run(by_sloth(folder / RULES, folder / "slo"))


if __name__ == "__main__":
    main()
