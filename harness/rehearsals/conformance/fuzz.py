"""``conformance --fuzz``: schemathesis, a stranger to this code, draws requests from the API's OpenAPI file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.base.clock import NS, Clock
from harness.base.data import ROOT
from harness.base.errors import NOT_JSON, EvidenceNotWritten
from harness.base.private import write_private
from harness.checks.contract.people import sign_up
from harness.checks.contract.run import CheckRun, Deviation, DeviationKind, Grade, SentenceSource, SourceKind, walk_api
from harness.model.message import message
from harness.model.stack import Address, Endpoints
from harness.rehearsals.conformance.openapi.plan import OpenApiPlan
from harness.rehearsals.conformance.types import Fuzz
from harness.stack.state import MARKER

OPENAPI = ROOT / "api" / "openapi.json"
HOOKS = Path(__file__).parent / "fuzz_hooks.py"
TOKENS_VARIABLE = "REHEARSAL_FUZZ_TOKENS"  # as fuzz_hooks.py reads it, which only schemathesis imports
HAR, LOG, EVENTS = "fuzz.har", "logs/fuzz.log", "logs/fuzz.ndjson"
ANSWERS = "logs/fuzz.answers"  # as fuzz_hooks.py writes it: a line for each request, however much was answered
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SOURCE = walk_api("bad-requests")
#: A refusal that a team's file does not name breaks nothing of it; ``openapi.answers`` looks at successes.
THEIR_CHECKS = tuple(check for check in CHECKS if check != "status_code_conformance")
END_LIMIT_S = 60.0  # on top: the examples and the coverage phase end as they are, and the files are written
USERS = 240  # 100 requests a minute each: 400 a second in all; schemathesis was seen to send 160
FEWEST_CASES = 100
_ENDED = (0, 1)  # schemathesis came to its end; with 1 something failed
LEAST_SIGNED_IN = 0.95
MOST_LIMITED = 0.5
_NOTHING_GOOD = "none of {} requests was answered 2xx: what a good answer is like nobody saw"
_SERVER_ERRORS = "fuzz.server_errors"
_SCHEMA = "fuzz.schema"
SENTENCES = {
    _SERVER_ERRORS: "no request that the OpenAPI file allows, or forbids, is answered with 5xx or not at all",
    _SCHEMA: "every answer has a status, headers and a body that the OpenAPI file names",
}


class FuzzedRequest(msgspec.Struct, frozen=True):
    """One request and its answer. Status 0: no answer, as ``body`` says, or one that was ``endless``."""

    method: str
    url: str
    status: int
    body: str = ""
    endless: bool = False


class FuzzResult(msgspec.Struct, frozen=True):
    """How many answers failed a check that is of the file alone, what schemathesis could not look at, and whether its
    record is ``whole``."""

    odd: int = 0
    errors: tuple[str, ...] = ()
    whole: bool = False


async def fuzz(
    endpoints: Endpoints,
    folder: Path,
    run_id: str,
    clock: Clock,
    *,
    seconds: int,
    seed: int,
    plan: OpenApiPlan | None = None,
) -> tuple[Fuzz, tuple[CheckRun, ...]]:
    """Fuzzes the service for about ``seconds``; what was sent lies in ``folder``. Raises ``EvidenceNotWritten``."""
    users = await asyncio.gather(
        *(sign_up(endpoints.auth, endpoints.project_id, f"fuzz{number}") for number in range(USERS))
    )
    tokens = folder / "logs" / "fuzz.tokens"
    write_private(tokens, "\n".join(user.token for user in users).encode())
    begun_ns = clock.now_ns()
    file, base = (OPENAPI, "") if plan is None else (plan.for_others(folder / "logs"), plan.base)
    line = command(endpoints.service, folder, seconds=seconds, seed=seed, file=file, base=base)
    status = await _run(line, folder, {MARKER: run_id, TOKENS_VARIABLE: str(tokens)}, seconds)
    took_s = (clock.now_ns() - begun_ns) / NS
    tokens.unlink()
    entries = read(folder / ANSWERS)
    seen = checked(folder / EVENTS) if status in _ENDED else FuzzResult()
    for again in (EVENTS, ANSWERS):  # the requests are in the HAR file
        (folder / again).unlink(missing_ok=True)
    statuses = Counter(str(entry.status) for entry in entries)
    fuzz_ = Fuzz(cases=len(entries), statuses=dict(sorted(statuses.items())), seconds=round(took_s, 1), exit=status)
    source = SOURCE if plan is None else SentenceSource(SourceKind.OPENAPI, str(plan.path))
    return fuzz_, judged(entries, status, seen, source)


def command(
    service: Address, folder: Path, *, seconds: int, seed: int, file: Path = OPENAPI, base: str = ""
) -> list[str]:
    """schemathesis' own command line."""
    return [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(file.absolute()), "--url", f"http://{service}{base}"),
        *(
            "--checks",
            ",".join(CHECKS if file == OPENAPI else THEIR_CHECKS),
            "--phases",
            "examples,coverage,fuzzing",
            "--mode",
            "all",
        ),
        *("--max-examples", "15", "--max-time", str(seconds), "--request-timeout", "10", "--seed", str(seed)),
        *("--suppress-health-check", "all", "--generation-database", "none", "--no-shrink", "--continue-on-failure"),
        *("--generation-with-security-parameters", "false", "--no-color"),
        *("--report-har-path", str(folder / HAR), "--report-ndjson-path", str(folder / EVENTS)),
    ]


async def _run(line: Sequence[str], folder: Path, added: dict[str, str], seconds: int) -> int:
    """Its exit status; it is ended with all it started when it takes too long or the run ends."""
    environment = {**os.environ, **added, "SCHEMATHESIS_HOOKS": str(HOOKS), "PYTHONUNBUFFERED": "1"}
    with (folder / LOG).open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *line,
            cwd=folder / "logs",
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(seconds + END_LIMIT_S):
            return await process.wait()
    except TimeoutError:
        return -signal.SIGKILL
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def read(answers: Path) -> tuple[FuzzedRequest, ...]:
    """The requests that were sent, none when there is no file. Raises ``EvidenceNotWritten``."""
    if not answers.exists():
        return ()
    try:
        with answers.open("rb") as lines:
            return tuple(msgspec.json.decode(line, type=FuzzedRequest) for line in lines)
    except (OSError, *NOT_JSON) as error:
        raise EvidenceNotWritten(
            message("schemathesis' file cannot be read: {why}", why=repr(error)), where=str(answers)
        ) from error


class _Check(msgspec.Struct):
    name: str
    status: str

    def is_odd(self) -> bool:
        """An answer of 5xx is of ``fuzz.server_errors``."""
        return self.status == "failure" and self.name != "not_a_server_error"


class _Recorder(msgspec.Struct):
    checks: dict[str, list[_Check]] = {}


class _Scenario(msgspec.Struct):
    recorder: _Recorder


class _Error(msgspec.Struct):
    label: str = ""
    value: Any = None
    exception: Any = None


class _Finished(msgspec.Struct):
    failures: list[Any] = []


class _Event(msgspec.Struct):
    """A line of the NDJSON file, which is one of schemathesis' events by its name."""

    scenario: _Scenario | None = msgspec.field(default=None, name="ScenarioFinished")
    error: _Error | None = msgspec.field(default=None, name="NonFatalError")
    fatal: _Error | None = msgspec.field(default=None, name="FatalError")
    finished: _Finished | None = msgspec.field(default=None, name="EngineFinished")


def checked(events: Path) -> FuzzResult:
    """What schemathesis' own checks found. Raises ``EvidenceNotWritten`` when the file cannot be read."""
    if not events.exists():
        return FuzzResult()
    odd, errors, whole = 0, list[str](), False
    try:
        with events.open("rb") as lines:
            for line in lines:
                event = msgspec.json.decode(line, type=_Event)
                if event.scenario is not None:
                    of_answers = event.scenario.recorder.checks.values()
                    odd += sum(any(map(_Check.is_odd, each)) for each in of_answers)
                for error in filter(None, (event.error, event.fatal)):
                    errors.append(f"{error.label}: {error.value or error.exception}")
                if event.finished is not None:
                    whole = True
                    errors += map(str, event.finished.failures)
    except (OSError, *NOT_JSON) as error:
        raise EvidenceNotWritten(
            message("schemathesis' file cannot be read: {why}", why=repr(error)), where=str(events)
        ) from error
    return FuzzResult(odd=odd, errors=tuple(errors), whole=whole)


def judged(
    entries: Sequence[FuzzedRequest], status: int, seen: FuzzResult, source: SentenceSource = SOURCE
) -> tuple[CheckRun, ...]:
    """What the requests say of the target, ``status`` being schemathesis' exit status (1: something failed)."""
    lacking = _lacking(entries, status)
    failed = sorted((each for each in entries if not 0 < each.status < 500), key=lambda each: not each.endless)
    if lacking and not (failed and failed[0].endless):  # whose time an endless answer took, and whose end
        return tuple(CheckRun(id=id_, sentence=sentence, broken=lacking) for id_, sentence in SENTENCES.items())
    # what passes without one good answer says nothing; what is wrong is wrong without it too
    nothing_good = "" if any(200 <= entry.status < 300 for entry in entries) else _NOTHING_GOOD.format(len(entries))
    errors = CheckRun(id=_SERVER_ERRORS, sentence=SENTENCES[_SERVER_ERRORS], broken=nothing_good)
    if failed:
        first = failed[0]
        unanswered = message("longer than a client reads") if first.endless else message("no answer")
        got = message(
            "{count} of {all}, first {call}: {status} {body}",
            count=str(len(failed)),
            all=str(len(entries)),
            call=f"{first.method} {first.url}",
            status=str(first.status) if first.status else unanswered,
            body=first.body,
        )
        found = Deviation(expected=message("none"), got=got, grade=Grade.CONTRACT, finding=DeviationKind.STATUS)
        errors = msgspec.structs.replace(errors, source=SOURCE, deviation=found, broken="")
    odd = CheckRun(
        id=_SCHEMA, sentence=SENTENCES[_SCHEMA], broken=lacking or nothing_good or _own(seen, status, failed)
    )
    if seen.odd:
        grade = Grade.CONTRACT if source is SOURCE else Grade.OPENAPI
        got = message(
            "{count} of {all}, with their requests in {file}", count=str(seen.odd), all=str(len(entries)), file=LOG
        )
        found = Deviation(expected=message("no odd answer"), got=got, grade=grade, finding=DeviationKind.BODY)
        odd = msgspec.structs.replace(odd, source=source, deviation=found, broken="")
    return errors, odd


def _own(seen: FuzzResult, status: int, failed: Sequence[FuzzedRequest]) -> str:
    """Why schemathesis, which saw no odd answer, did not look at all of them; "" when it did."""
    if seen.errors:
        return f"schemathesis saw no odd answer, and could not look at all: {seen.errors[0][:300]}"
    if not seen.whole:
        return f"schemathesis' record of what it saw is not whole; its last words are in {LOG}"
    if status and not failed:
        return f"schemathesis ended with status {status}, and named no answer; its last words are in {LOG}"
    return ""


def _lacking(entries: Sequence[FuzzedRequest], status: int) -> str:
    """Why the requests say nothing of the target; "" when they do."""
    if status not in _ENDED:
        return f"schemathesis ended with status {status}; its last words are in {LOG}"
    if len(entries) < FEWEST_CASES:
        return f"{len(entries)} requests were sent, fewer than {FEWEST_CASES}"
    outside = sum(entry.status == 401 for entry in entries)
    if outside > (1 - LEAST_SIGNED_IN) * len(entries):
        return (
            f"{outside} of {len(entries)} requests got 401: fewer than {LEAST_SIGNED_IN:.0%} came past authentication"
        )
    limited = sum(entry.status == 429 for entry in entries)
    if limited > MOST_LIMITED * len(entries):
        return f"{limited} of {len(entries)} requests got 429: the rate limit hid what they would have shown"
    return ""
