"""Runs checks one after the other, in an order drawn from the seed, and says how each ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.base.clock import NS
from harness.base.errors import RehearsalError
from harness.base.progress import Progress
from harness.base.seed import stream
from harness.checks.contract.check import Check, CheckFixture, ContractClient, Deviates
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.rules import CONTRACT, Rules
from harness.checks.contract.run import GRADES, CheckRun, Deviation, DeviationKind, Grade, SentenceSource, SourceKind
from harness.model.message import Message, message
from harness.report.language import write_atomically

CHECK_LIMIT_S = 120.0  # a check is bounded by its requests; this bounds a mistake of ours
SETTLE_LIMIT_S = 60.0  # the kubelet's rules restart a pod that died, after 10 s from the second time on
_POLL_S = 0.2
REQUESTS = "requests"


async def run_checks(
    checks: Sequence[Check],
    ground: CheckFixture,
    folder: Path,
    progress: Progress,
    done: Callable[[CheckRun], None],
    *,
    seen: Callable[[Sequence[HttpExchange]], None] | None = None,
) -> None:
    """``done`` is called with every result, ``seen`` with every check's requests. Deviations' requests are kept below
    ``folder``.
    """
    order = list(checks)
    stream(ground.seed, "conformance:order").shuffle(order)
    progress.begin(message("checking the API against the contract"), of=len(order))
    for number, check in enumerate(order):
        progress.live(check.id, done=number)
        begun_ns = ground.clock.now_ns()
        bench = ContractClient(ground, check.id)
        result, exchange = await _run(check, bench)
        result = by_file(result, bench.used, ground.rules)
        if seen is not None:
            seen(bench.exchanges)
        if exchange is not None:
            result = keep_request(result, exchange, folder)
        seconds = round((ground.clock.now_ns() - begun_ns) / NS, 3)
        result = msgspec.structs.replace(result, seconds=seconds)
        if (told := _told(result)) is not None:
            progress(progress.say(told.text, **told.values).splitlines()[0][:200])
        done(result)
        if any(not each.status for each in bench.exchanges):
            await _settle(bench)


async def _run(check: Check, bench: ContractClient) -> tuple[CheckRun, HttpExchange | None]:
    result = CheckRun(id=check.id, sentence=check.sentence, source=check.source)
    try:
        async with asyncio.timeout(CHECK_LIMIT_S):
            await check.run(bench)
    except Deviates as deviation:
        return _deviating(result, check, deviation), deviation.exchange or next(reversed(bench.exchanges), None)
    except NotExercised as lacking:
        allowed = lacking.allowed or check.advice  # a target that does otherwise breaks nothing
        return msgspec.structs.replace(result, lacking=lacking.reason, allowed=allowed), None
    except RehearsalError as broken:
        reason = str(broken)
    except TimeoutError:
        reason = f"the check itself did not end within {CHECK_LIMIT_S:g} s"
    except Exception as mistake:  # of ours, met by an answer nobody foresaw: named, and the others go on
        reason = f"the check failed inside: {mistake!r}"
    else:
        return result, None
    return msgspec.structs.replace(result, broken=reason), None


def _told(result: CheckRun) -> Message | None:
    """A line for the terminal; ``None`` of a check that found nothing wrong."""
    if (found := result.deviation) is not None:
        return message(
            "{grade}: {check}: expected {expected}, got {got}",
            grade=Message(text=GRADES[found.grade]),
            check=result.id,
            expected=found.expected,
            got=found.got,
        )
    if result.lacking is not None:
        return message("not exercised: {check}: {why}", check=result.id, why=result.lacking)
    if result.broken:
        return message("error of the measurement: {check}: {why}", check=result.id, why=result.broken)
    return None


def by_file(result: CheckRun, used: Sequence[str], rules: Rules) -> CheckRun:
    """The result with what the team's file decided of it. What breaks a figure of the file breaks the file alone."""
    theirs = {name: rules.decided[name] for name in used if name in rules.decided}
    if not theirs:
        return result
    told = tuple(f"{name} = {rule.value} ({rule.place}), not {CONTRACT[name]}" for name, rule in theirs.items())
    result = msgspec.structs.replace(result, decided=told)
    broken = [rule for name, rule in theirs.items() if _sets(name, result)]
    if result.deviation is None or result.deviation.grade is not Grade.CONTRACT or not broken:
        return result
    deviation = msgspec.structs.replace(result.deviation, grade=Grade.OPENAPI)
    return msgspec.structs.replace(
        result, deviation=deviation, source=SentenceSource(SourceKind.OPENAPI, broken[0].place)
    )


def _sets(name: str, result: CheckRun) -> bool:
    """Whether that rule of the file can be what the result breaks: a status that is wrong, a limit; a field that may be
    absent or null allows only.
    """
    if name.endswith(".status"):
        return result.deviation is not None and result.deviation.finding is DeviationKind.STATUS
    return not name.startswith("walk.")


def _deviating(result: CheckRun, check: Check, deviation: Deviates) -> CheckRun:
    found = Deviation(
        expected=deviation.expected,
        got=deviation.got,
        grade=Grade.ADVICE if check.advice else Grade.CONTRACT,
        finding=deviation.finding or check.finding,
    )
    return msgspec.structs.replace(result, deviation=found)


def keep_request(result: CheckRun, exchange: HttpExchange, folder: Path) -> CheckRun:
    """The result with its request as a curl line and as a file of raw bytes. Raises ``EvidenceNotWritten``."""
    (folder / REQUESTS).mkdir(exist_ok=True)
    write_atomically(folder / REQUESTS / f"{result.id}.http", exchange.kept)
    curl = exchange.curl
    if "@body.bin" in curl:
        write_atomically(folder / REQUESTS / f"{result.id}.body", exchange.sent_body)
        curl = curl.replace("@body.bin", f"@{REQUESTS}/{result.id}.body")
    return msgspec.structs.replace(result, curl=curl, request_file=f"{REQUESTS}/{result.id}.http")


async def _settle(bench: ContractClient) -> None:
    """Waits until the service is ready again after a broken connection: the next check must not pay for this one."""
    until_ns = bench.clock.now_ns() + round(SETTLE_LIMIT_S * NS)
    while bench.clock.now_ns() < until_ns:
        if (await bench.nobody.send("GET", "/ready", timeout_s=2.0)).status == 200:
            return
        await bench.clock.sleep(_POLL_S)
