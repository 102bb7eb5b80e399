"""Apache Bench as the document names it: N requests, C at once, one token. ``ab`` itself where this machine has it
(Debian's apache2-utils), else a stand-in that does the same, and is called one.
"""

from __future__ import annotations

import asyncio
import re
import shutil

import msgspec

from harness.base.errors import RehearsalError
from harness.load.http1 import answered, exchange
from harness.model.stack import Address, Endpoints
from harness.rehearsals.load_stages.judge_bench import AB
from harness.rehearsals.load_stages.types import Benched, BenchPlan
from harness.stack.firebase.sign_up import sign_up

PATH = "/v1/walks"
STAND_IN = "a stand-in for ab"
RATE_LIMITED = 429
_LIMIT_S = 60.0
_COUNTS = {"answered": r"^Complete requests:\s+(\d+)", "not_2xx": r"^Non-2xx responses:\s+(\d+)"}


async def bench(plan: BenchPlan, endpoints: Endpoints) -> Benched | None:
    """One account's requests; ``None`` where it could not be carried out."""
    try:
        token = (await sign_up(endpoints.auth, endpoints.project_id, "apache-bench")).token
    except RehearsalError:
        return None
    program = shutil.which(AB)
    if program is None:
        return await _stand_in(plan, endpoints.service, token)
    found = await _ab(program, plan, endpoints.service, token)
    if found is None:
        return None
    # It tells no status: how the limiter refuses is asked just after.
    after = await asyncio.gather(*(_status(endpoints.service, token) for _ in range(plan.at_once)))
    return msgspec.structs.replace(found, limited=after.count(RATE_LIMITED))


async def _ab(program: str, plan: BenchPlan, service: Address, token: str) -> Benched | None:
    process = await asyncio.create_subprocess_exec(
        program, "-q", "-n", str(plan.requests), "-c", str(plan.at_once), "-H", f"Authorization: Bearer {token}",
        f"http://{service}{PATH}",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_LIMIT_S):
            said, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return read(plan, said.decode(errors="replace"))


def read(plan: BenchPlan, said: str) -> Benched | None:
    """What ``ab`` printed; ``None`` where it is no report of it. Pure."""
    found = {name: re.search(pattern, said, re.M) for name, pattern in _COUNTS.items()}
    if found["answered"] is None:
        return None
    counts = {name: int(match[1]) if match else 0 for name, match in found.items()}
    return Benched(program=AB, requests=plan.requests, at_once=plan.at_once, **counts)


async def _stand_in(plan: BenchPlan, service: Address, token: str) -> Benched | None:
    statuses: list[int] = []
    left = iter(range(plan.requests))

    async def ask() -> None:
        for _ in left:
            statuses.append(await _status(service, token))

    try:
        async with asyncio.timeout(_LIMIT_S):  # beyond it a second minute's allowance begins
            await asyncio.gather(*(ask() for _ in range(plan.at_once)))
    except TimeoutError:
        return None
    whole = [status for status in statuses if status]
    return Benched(
        program=STAND_IN,
        requests=plan.requests,
        at_once=plan.at_once,
        answered=len(whole),
        not_2xx=sum(not 200 <= status < 300 for status in whole),
        limited=whole.count(RATE_LIMITED),
    )


async def _status(service: Address, token: str) -> int:
    """Of one request; 0 where it was not answered."""
    return (await answered(exchange(service, "GET", PATH, token, b""), _LIMIT_S)).status
