"""kubectl as a person types it: the control plane's own, in the run's namespace; failures are answers too."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from harness.model.command import Ran
from harness.stack.kind.docker import docker, execute

_IN = "/root/rehearsal-by-hand"  # in the control plane's container, whose /tmp is a tmpfs that `docker cp` does not see
_CONFIG = "--kubeconfig=/etc/kubernetes/admin.conf"
_GRACE_S = 5


async def run_kubectl(
    control_plane: str, namespace: str, *arguments: str, limit_s: float, folder: Path | None = None
) -> Ran:
    """Runs it where a copy of ``folder`` lies, if one is named. Ended after ``limit_s``: status -1, with what was said.

    Raises ``StackNotStarted`` when the folder cannot be copied.
    """
    at = f"{_IN}/{namespace}"
    place: tuple[str, ...] = ()
    if folder is not None:
        place = ("--workdir", at)
        await execute(control_plane, "mkdir", "-p", at, what="making a folder for kubectl")
        await docker("cp", folder, f"{control_plane}:{at}/", what="copying manifests for kubectl")
    # Ended inside the node: ending the client of `docker exec` leaves the program running there.
    bounded = ("timeout", f"--kill-after={_GRACE_S}", f"{limit_s:g}")
    process = await asyncio.create_subprocess_exec(
        "docker", "exec", *place, control_plane, *bounded,
        "kubectl", _CONFIG, f"--namespace={namespace}", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if folder is not None:
            await execute(control_plane, "rm", "-rf", at, what="removing the copy for kubectl")
    status = process.returncode
    ended = status in (124, 137)  # timeout's own
    return Ran(
        command=" ".join(("kubectl", *arguments)),
        status=-1 if ended or status is None else status,
        output=said.decode(errors="replace"),
    )
