"""``conformance --fuzz``: what its requests say and when they say nothing, and the bundled API fuzzed for real."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.base.errors import EvidenceNotWritten, Exit
from harness.base.virtual import VirtualClock
from harness.rehearsals.conformance import fuzz as fuzzing
from harness.rehearsals.conformance.fuzz import TOKENS_VARIABLE, FuzzedRequest, FuzzResult, checked, judged, read
from tests.conformance.outcomes import Outcome, outcome
from tests.conformance.targets import BUNDLED_GROUP, Conformed, details, document, folder_of
from tests.conformance.targets import outcomes as outcomes_of
from tests.endless import endless_server

#: A JSON Web Token: two parts at least, the first the Base64 of a JSON object.
TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+")
NOTHING, ODD = FuzzResult(whole=True), FuzzResult(odd=3, whole=True)
GOOD = tuple(FuzzedRequest("GET", "/v1/walks", status) for status in (200, 400, 404, 204) * 30)


def finished(*checks: dict[str, str]) -> dict[str, object]:
    return {"ScenarioFinished": {"status": "failure", "recorder": {"label": "x", "checks": {"a1": [*checks]}}}}


SERVER_ERROR = {"name": "not_a_server_error", "status": "failure"}
BODY, HEADERS = ({"name": f"response_{what}_conformance", "status": "failure"} for what in ("schema", "headers"))
#: As schemathesis writes them: two odd answers, one of which fails two checks.
EVENTS = [
    {"Initialize": {"seed": 1}},
    finished({**BODY, "status": "success"}),
    finished(SERVER_ERROR),
    finished(BODY, HEADERS),
    finished(SERVER_ERROR, BODY),
    {"NonFatalError": {"label": "PUT /v1/walks", "value": {"type": "Unsatisfiable", "message": "no body"}}},
    {"EngineFinished": {"running_time": 1.0, "failures": [{"title": "left"}]}},
]


def outcomes(entries: tuple[FuzzedRequest, ...], status: int, seen: FuzzResult = NOTHING) -> list[Outcome]:
    return [outcome(result) for result in judged(entries, status, seen)]


def test_a_single_5xx_or_missing_answer_deviates_and_is_shown() -> None:
    assert outcomes(GOOD, 0) == [Outcome.PASSED, Outcome.PASSED]
    for status in (500, 503, 0):
        errors, schema = judged((*GOOD, FuzzedRequest("PUT", "/v1/walks/x", status, "oh")), 1, NOTHING)
        assert (outcome(errors), outcome(schema)) == (Outcome.DEVIATION, Outcome.PASSED)
        assert f"1 of {len(GOOD) + 1}, first PUT /v1/walks/x: {status or 'no answer'}" in (
            str(errors.deviation.got) if errors.deviation else ""
        )


def test_an_odd_answer_deviates_from_the_schema_alone() -> None:
    assert outcomes(GOOD, 1, ODD) == [Outcome.PASSED, Outcome.DEVIATION]
    _, schema = judged(GOOD, 1, ODD)
    assert schema.deviation is not None and str(schema.deviation.got).startswith("3 of 120, ")


def test_an_error_of_schemathesis_own_is_none_of_the_target(tmp_path: Path) -> None:
    """It ends with the status of an odd answer, too."""
    assert outcomes(GOOD, 1) == [Outcome.PASSED, Outcome.MEASUREMENT_ERROR]
    unseen = FuzzResult(errors=("x",), whole=True)
    assert outcomes(GOOD, 1, unseen) == [Outcome.PASSED, Outcome.MEASUREMENT_ERROR]
    assert outcomes(GOOD, 1, FuzzResult(odd=1, errors=("x",))) == [Outcome.PASSED, Outcome.DEVIATION]
    for status in (0, 1):
        failed = (*GOOD, FuzzedRequest("PUT", "/v1/walks/x", 500))
        assert outcomes(failed, status, FuzzResult()) == [Outcome.DEVIATION, Outcome.MEASUREMENT_ERROR], (
            "no whole record"
        )
        assert outcomes(failed, status, unseen) == [Outcome.DEVIATION, Outcome.MEASUREMENT_ERROR]
    events = tmp_path / "fuzz.ndjson"
    assert checked(events) == FuzzResult()
    events.write_text("\n".join(json.dumps(each) for each in EVENTS[:-1]))
    cut = checked(events)
    assert cut == FuzzResult(odd=2, errors=("PUT /v1/walks: {'type': 'Unsatisfiable', 'message': 'no body'}",))
    events.write_text("\n".join(json.dumps(each) for each in EVENTS))
    assert checked(events) == FuzzResult(odd=2, errors=(*cut.errors, "{'title': 'left'}"), whole=True)
    events.write_text('{"ScenarioFinished":{"recor')
    with pytest.raises(EvidenceNotWritten):
        checked(events)


@pytest.mark.parametrize(
    ("entries", "status", "says"),
    [
        (GOOD[:99], 0, "fewer than 100"),
        ((), 0, "fewer than 100"),
        (GOOD, 2, "status 2"),
        ((*GOOD, *[FuzzedRequest("GET", "/", 401)] * 7), 1, "95%"),
        ((*GOOD, *[FuzzedRequest("GET", "/", 429)] * 121), 0, "rate limit"),
        (tuple([FuzzedRequest("GET", "/v2/walks", 404)] * 200), 0, "none of 200 requests was answered 2xx"),
        (tuple([FuzzedRequest("GET", "/v1/walks", 302)] * 200), 0, "none of 200 requests was answered 2xx"),
    ],
)
def test_requests_that_show_nothing_are_no_pass(entries: tuple[FuzzedRequest, ...], status: int, says: str) -> None:
    for result in judged(entries, status, NOTHING):
        assert outcome(result) is Outcome.MEASUREMENT_ERROR
        assert says in result.broken


def test_of_a_target_that_answers_nothing_well_what_it_does_wrong_is_told_all_the_same() -> None:
    refused = tuple([FuzzedRequest("GET", "/v1/walks", 404)] * 200)
    assert outcomes((*refused, FuzzedRequest("GET", "/v1/walks", 500)), 0) == [
        Outcome.DEVIATION,
        Outcome.MEASUREMENT_ERROR,
    ]
    assert outcomes(refused, 1, ODD) == [Outcome.MEASUREMENT_ERROR, Outcome.DEVIATION]


def test_5_percent_of_401_are_allowed() -> None:
    assert outcomes((*GOOD, *[FuzzedRequest("GET", "/", 401)] * 6), 0) == [Outcome.PASSED, Outcome.PASSED]


def test_a_broken_file_is_an_error_of_the_measurement(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text('{"method": "GET"')
    with pytest.raises(EvidenceNotWritten):
        read(tmp_path / "answers")


def test_an_endless_answer_deviates_however_few_requests_it_left_time_for() -> None:
    endless = FuzzedRequest("GET", "/v1/walks", 0, "TooLong", endless=True)
    for entries, status in (((endless,), 1), ((*GOOD, FuzzedRequest("PUT", "/v1/walks", 500), endless), -9)):
        errors, schema = judged(entries, status, FuzzResult())
        assert (outcome(errors), outcome(schema)) == (Outcome.DEVIATION, Outcome.MEASUREMENT_ERROR)
        assert "first GET /v1/walks: longer than a client reads" in str(errors.deviation and errors.deviation.got)


#: Fuzzes the paths of a server; prints the KiB that schemathesis had at its highest. What would take more ends.
FUZZ = """
import asyncio, resource, sys
from pathlib import Path
from harness.model.stack import Address
from harness.rehearsals.conformance import fuzz

folder = Path(sys.argv[2])
line = fuzz.command(Address(host="127.0.0.1", port=int(sys.argv[1])), folder, seconds=4, seed=1, file=folder / "api.json")
resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
asyncio.run(fuzz._run(line, folder, {fuzz.TOKENS_VARIABLE: str(folder / "tokens")}, 4))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.process
@pytest.mark.timeout(180)
def test_an_endless_answer_costs_the_fuzz_less_than_64_mib_and_is_told(tmp_path: Path) -> None:
    most_kib = list[int]()
    for paths in (["whole"], ["body", "chunks", "interim", "header"]):
        folder = tmp_path / paths[0]
        (folder / "logs").mkdir(parents=True)
        (folder / "tokens").write_text("a b")
        operation = {"get": {"responses": {"200": {"description": "OK"}}}}
        api = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {f"/{x}": operation for x in paths}}
        (folder / "api.json").write_text(json.dumps(api))
        with endless_server() as port:
            done = subprocess.run(
                [sys.executable, "-c", FUZZ, str(port), str(folder)],
                cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=80, check=True,
            )  # fmt: skip
        most_kib.append(int(done.stdout))
    assert most_kib[1] < most_kib[0] + 64 * 1024
    assert {entry.status for entry in read(tmp_path / "whole" / fuzzing.ANSWERS)} == {200}
    told = read(tmp_path / "body" / fuzzing.ANSWERS)
    assert {entry.url.rpartition("/")[2] for entry in told if entry.endless} == {*paths}
    [errors, _] = judged(told, 1, FuzzResult())
    assert outcome(errors) is Outcome.DEVIATION


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.xdist_group(BUNDLED_GROUP)
def test_the_bundled_api_is_fuzzed_without_5xx_or_odd_answers(conformed: Conformed) -> None:
    done = conformed.done
    assert done.returncode == Exit.OK, done.stderr
    content = document(conformed.reports)
    fuzz = details(content).fuzz
    assert fuzz is not None and fuzz.cases == sum(fuzz.statuses.values()) >= 100
    assert fuzz.statuses.get("429", 0) == 0
    assert sum(count for status, count in fuzz.statuses.items() if status.startswith("2")) > 0.05 * fuzz.cases
    assert {id_: each for id_, each in outcomes_of(content).items() if id_.startswith("fuzz.")} == {
        "fuzz.server_errors": "passed",
        "fuzz.schema": "passed",
    }
    assert "--fuzz 25" in content.facts.replay
    folder = folder_of(conformed.reports)
    har = (folder / "fuzz.har").read_text()
    assert '"Authorization"' in har
    assert TOKEN.search(har) is None, "no token in the report"


def test_a_token_is_told_from_the_random_name_of_a_case() -> None:
    """schemathesis names each case with six random letters: "eyJ" alone is among them in every twelfth run."""
    header, payload = '{"alg":"none","typ":"JWT"}', '{"sub":"u1"}'
    assert TOKEN.search(f'"value": "Bearer {encoded(header)}.{encoded(payload)}."')
    assert TOKEN.search('{"name": "X-Schemathesis-TestCaseId", "value": "eyJab1"}') is None


def encoded(part: str) -> str:
    return base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode()


async def test_the_tokens_of_a_fuzz_are_readable_by_their_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    async def sign_up(*_: object) -> SimpleNamespace:
        return SimpleNamespace(token="secret")

    async def run(_line: object, _folder: object, added: dict[str, str], _seconds: int) -> int:
        modes.append(stat.S_IMODE(os.stat(added[TOKENS_VARIABLE]).st_mode))  # noqa: PTH116 - in a coroutine
        return 2

    monkeypatch.setattr(fuzzing, "sign_up", sign_up)
    monkeypatch.setattr(fuzzing, "_run", run)
    (tmp_path / "logs").mkdir()
    where: Any = SimpleNamespace(auth="", project_id="", service="")
    await fuzzing.fuzz(where, tmp_path, "r", VirtualClock(), seconds=1, seed=1)
    assert modes == [0o600]
