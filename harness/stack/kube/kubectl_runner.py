"""kubectl as a person types it: this machine's own, in the run's namespace; failures are answers too."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

from harness.base.errors import NotCapable
from harness.model.command import Ran
from harness.model.stack import OwnCluster


async def run_kubectl(
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
    process = await asyncio.create_subprocess_exec(
        *(program, f"--context={cluster.context}", f"--namespace={namespace}"),
        *arguments,
        env={**os.environ, "KUBECONFIG": cluster.kubeconfig},  # which may be several files
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=at,
    )
    said = b""
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
        shutil.rmtree(at, ignore_errors=True)
    status = process.returncode if process.returncode is not None else -1
    return Ran(command=" ".join(("kubectl", *arguments)), status=max(status, -1), output=said.decode(errors="replace"))
