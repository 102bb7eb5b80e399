"""What a rehearsed version's image puts in front of its target: errors, delays, or a readiness that never comes.

Run as a file with a JSON object (``host``, ``never_ready``, ``numerator``, ``denominator``, ``delay_ms``) and the
target's command; it needs h11, ``fault_proxy_process`` and ``free_port``. It listens on ``PORT`` and gives the target
another one. Only requests to ``/v1`` are hit, by the fault proxy's exact count. On SIGTERM it stops accepting, passes
the signal on, and ends with the target's status once that has finished what runs.
"""

import asyncio
import functools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # where an image without h11 has that too
import h11

from harness.base.free_port import any_free_port
from harness.stack.faults.fault_proxy_process import FaultsInForce, ProxyExchange, ProxyFault, RequestFate, relay

LAST_ANSWERS_S = 2.0
_API = b"/v1"


class InFront(ProxyExchange):
    """Hits the API's requests."""

    def judge(self, request: h11.Request) -> RequestFate:
        """Probes pass, unless they are never to."""
        return self.faults.judge() if request.target.startswith(_API) else RequestFate()


class NeverReady(InFront):
    """Hits everything that is no request to the API."""

    def judge(self, request: h11.Request) -> RequestFate:
        """Liveness passes: the pod is not restarted, it just never becomes ready."""
        return super().judge(request) if request.target.startswith((_API, b"/health")) else RequestFate(error=True)


async def main(asked: dict[str, Any], command: list[str]) -> int:
    """Serves until the target has ended; its status."""
    faults = FaultsInForce()
    if asked["numerator"]:
        faults.active[0] = ProxyFault("errors", asked["numerator"], asked["denominator"])
    if asked["delay_ms"]:
        faults.active[1] = ProxyFault("latency", 1, 1, asked["delay_ms"] / 1000)
    inner = any_free_port()
    target = await asyncio.create_subprocess_exec(*command, env={**os.environ, "PORT": str(inner)})
    serve = functools.partial(
        relay, pod_port=inner, faults=faults, exchange=NeverReady if asked["never_ready"] else InFront
    )
    server = await asyncio.start_server(serve, asked["host"], int(os.environ["PORT"]))

    def stop() -> None:
        server.close()
        target.terminate()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    status = await target.wait()
    server.close()
    under_way = asyncio.all_tasks() - {asyncio.current_task()}
    if under_way:
        await asyncio.wait(under_way, timeout=LAST_ANSWERS_S)
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(main(json.loads(sys.argv[1]), sys.argv[2:])))
