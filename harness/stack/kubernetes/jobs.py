"""A Job that is done before the pods start: waited for, its words kept for whoever has to mend it."""

from __future__ import annotations

import contextlib

from harness.base.clock import Clock, polling
from harness.base.errors import StackNotStarted
from harness.model.message import message
from harness.stack.kubernetes.api_server import ApiServer, ApiServerError, Json
from harness.stack.kubernetes.pods import read

LIMIT_S = 180.0  # a migration of an empty database, on a busy machine
_POLL_S = 0.25
_LAST_LINES = 12


async def done(api: ApiServer, namespace: str, name: str, clock: Clock) -> None:
    """Returns when the Job is complete. Raises ``StackNotStarted`` when it failed, cannot start, or took 180 s."""
    place = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"
    again = polling(clock, limit_s=LIMIT_S, every_s=_POLL_S)
    while True:
        found = await api.get(place)
        conditions = {each["type"]: each for each in found.get("status", {}).get("conditions", [])}
        if conditions.get("Complete", {}).get("status") == "True":
            return
        pods = (await api.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"job-name={name}"))["items"]
        stuck = [pod.trouble for pod in map(read, pods) if pod.stuck]
        failed = conditions.get("Failed", {})
        if failed.get("status") == "True" or stuck or not await again():
            why = failed.get("message") or "; ".join(stuck) or f"not complete after {LIMIT_S:g} s"
            raise StackNotStarted(
                message("Job {name}: {why}\n{log}", name=name, why=why, log=await _said(api, namespace, pods)),
                where=message("{namespace}: Job/{name}", namespace=namespace, name=name),
                remedy="mend the Job, or say migrations: in the target file and leave the Job out",
            )


async def _said(api: ApiServer, namespace: str, pods: list[Json]) -> str:
    """The last lines of the newest pod's log; "" without any."""
    lines: list[str] = []
    for pod in sorted(pods, key=lambda each: str(each["metadata"].get("creationTimestamp")))[-1:]:
        with contextlib.suppress(ApiServerError):
            place = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log"
            async for line in api.lines(place, tailLines=_LAST_LINES):
                lines.append(f"    {line.decode(errors='replace')}")
    return "\n".join(lines)
