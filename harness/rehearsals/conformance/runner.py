"""Runs checks one after the other, in an order drawn from the seed, and says how each ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.clock import NS
from harness.model.errors import RehearsalError
from harness.progress import Progress
from harness.rehearsals.conformance.bench import Bench, Ground
from harness.rehearsals.conformance.check import Check, Deviates, NotExercised
from harness.rehearsals.conformance.grade import GRADES, Finding, Grade, Source, SourceKind
from harness.rehearsals.conformance.http import Exchange
from harness.rehearsals.conformance.result import CheckResult, Outcome
from harness.rehearsals.conformance.rules import CONTRACT, Rules
from harness.report.files import write_atomically
from harness.seed import stream

CHECK_LIMIT_S = 120.0  # a check is bounded by its requests; this bounds a mistake of ours
SETTLE_LIMIT_S = 60.0  # the kubelet's rules restart a pod that died, after 10 s from the second time on
_POLL_S = 0.2
REQUESTS = "requests"


async def run_checks(
    checks: Sequence[Check],
    ground: Ground,
    folder: Path,
    progress: Progress,
    done: Callable[[CheckResult], None],
    *,
    seen: Callable[[Sequence[Exchange]], None] | None = None,
) -> None:
    """``done`` is called with every result, ``seen`` with every check's requests. Deviations' requests are kept below
    ``folder``.
    """
    order = list(checks)
    stream(ground.seed, "conformance:order").shuffle(order)
    for number, check in enumerate(order, 1):
        progress.live(f"check {number}/{len(order)}: {check.id}")
        begun_ns = ground.clock.now_ns()
        bench = Bench(ground, check.id)
        result, exchange = await _run(check, bench)
        result = by_file(result, bench.used, ground.rules)
        if seen is not None:
            seen(bench.exchanges)
        if exchange is not None:
            result = keep_request(result, exchange, folder)
        seconds = round((ground.clock.now_ns() - begun_ns) / NS, 3)
        result = msgspec.structs.replace(result, duration_s=seconds)
        if result.outcome is not Outcome.PASSED:
            told = f"expected {result.expected}, got {result.got}" if result.expected else result.reason
            what = GRADES[result.grade] if result.grade else result.outcome.replace("_", " ")
            progress(f"{what}: {check.id}: {told.splitlines()[0][:160]}")
        done(result)
        if any(not each.status for each in bench.exchanges):
            await _settle(bench)


async def _run(check: Check, bench: Bench) -> tuple[CheckResult, Exchange | None]:
    result = CheckResult(id=check.id, sentence=check.sentence, outcome=Outcome.PASSED, source=check.source)
    try:
        async with asyncio.timeout(CHECK_LIMIT_S):
            await check.run(bench)
    except Deviates as deviation:
        return _deviating(result, check, deviation), deviation.exchange or next(reversed(bench.exchanges), None)
    except NotExercised as lacking:
        left_out = msgspec.structs.replace(result, outcome=Outcome.NOT_EXERCISED, reason=str(lacking))
        return msgspec.structs.replace(left_out, allowed=lacking.allowed), None
    except RehearsalError as broken:
        reason = str(broken)
    except TimeoutError:
        reason = f"the check itself did not end within {CHECK_LIMIT_S:g} s"
    except Exception as mistake:  # of ours, met by an answer nobody foresaw: named, and the others go on
        reason = f"the check failed inside: {mistake!r}"
    else:
        return result, None
    return msgspec.structs.replace(result, outcome=Outcome.MEASUREMENT_ERROR, reason=reason), None


def by_file(result: CheckResult, used: Sequence[str], rules: Rules) -> CheckResult:
    """The result with what the team's file decided of it. What breaks a figure of the file breaks the file alone."""
    theirs = {name: rules.decided[name] for name in used if name in rules.decided}
    if not theirs:
        return result
    told = tuple(f"{name} = {rule.value} ({rule.place}), not {CONTRACT[name]}" for name, rule in theirs.items())
    result = msgspec.structs.replace(result, decided=told)
    broken = [rule for name, rule in theirs.items() if _sets(name, result)]
    if result.grade is not Grade.CONTRACT or not broken:
        return result
    place = broken[0].place
    return msgspec.structs.replace(result, grade=Grade.OPENAPI, source=Source(SourceKind.OPENAPI, place))


def _sets(name: str, result: CheckResult) -> bool:
    """Whether that rule of the file can be what the result breaks: a status that is wrong, a limit; a field that may be
    absent or null allows only.
    """
    if name.endswith(".status"):
        return result.finding is Finding.STATUS
    return not name.startswith("walk.")


def _deviating(result: CheckResult, check: Check, deviation: Deviates) -> CheckResult:
    return msgspec.structs.replace(
        result,
        outcome=Outcome.ADVICE if check.advice else Outcome.DEVIATION,
        grade=Grade.ADVICE if check.advice else Grade.CONTRACT,
        finding=deviation.finding or check.finding,
        expected=deviation.expected,
        got=deviation.got,
    )


def keep_request(result: CheckResult, exchange: Exchange, folder: Path) -> CheckResult:
    """The result with its request as a curl line and as a file of raw bytes. Raises ``EvidenceNotWritten``."""
    (folder / REQUESTS).mkdir(exist_ok=True)
    write_atomically(folder / REQUESTS / f"{result.id}.http", exchange.raw)
    curl = exchange.curl
    if "@body.bin" in curl:
        write_atomically(folder / REQUESTS / f"{result.id}.body", exchange.sent_body)
        curl = curl.replace("@body.bin", f"@{REQUESTS}/{result.id}.body")
    return msgspec.structs.replace(result, curl=curl, request_file=f"{REQUESTS}/{result.id}.http")


async def _settle(bench: Bench) -> None:
    """Waits until the service is ready again after a broken connection: the next check must not pay for this one."""
    until_ns = bench.clock.now_ns() + round(SETTLE_LIMIT_S * NS)
    while bench.clock.now_ns() < until_ns:
        if (await bench.nobody.send("GET", "/ready", timeout_s=2.0)).status == 200:
            return
        await bench.clock.sleep(_POLL_S)
