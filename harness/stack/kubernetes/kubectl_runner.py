"""kubectl as a person types it, in a run's namespace; failures are answers too.

kubectl on somebody's own cluster: this machine's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.base.errors import NotCapable
from harness.model.command import Ran
from harness.model.stack import OwnCluster


async def by_context(
    cluster: OwnCluster, namespace: str, *arguments: str, limit_s: float, scratch: Path, folder: Path | None = None
) -> Ran:
    """Runs it in ``scratch``, with a copy of ``folder`` there meanwhile. Ended after ``limit_s``: status -1.

    Raises ``NotCapable`` where this machine has no kubectl.
    """
    program = shutil.which("kubectl")
    if program is None:
        raise NotCapable(
            "this machine has no kubectl", where="PATH", remedy="install kubectl, of the cluster's version"
        )
    at = scratch / "by-hand"
    at.mkdir(exist_ok=True)
    if folder is not None:
        shutil.copytree(folder, at / folder.name, dirs_exist_ok=True)
    of = (program, f"--context={cluster.context}")
    several = {"KUBECONFIG": cluster.kubeconfig}  # it may be several files
    try:
        return await run_kubectl(of, namespace, *arguments, limit_s=limit_s, at=at, environment=several)
    finally:
        shutil.rmtree(at, ignore_errors=True)


async def run_kubectl(
    program: Sequence[str | Path],
    namespace: str,
    *arguments: str,
    limit_s: float,
    at: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Runs ``program``, which is a kubectl, in the folder ``at``. Ended after ``limit_s``: status -1."""
    process = await asyncio.create_subprocess_exec(
        *program,
        f"--namespace={namespace}",
        *arguments,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=at,
    )
    try:
        async with asyncio.timeout(limit_s):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    status = -1 if process.returncode is None else max(process.returncode, -1)
    return Ran(command=" ".join(("kubectl", *arguments)), status=status, output=said.decode(errors="replace"))
