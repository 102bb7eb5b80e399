"""The pods' logs: the fields of the document's example (構造化ログ), with LOG_FORMAT=json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.checks.contract.check import Checks, ContractCaller, ContractClient, Deviates, needs
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.logs import LINE_LIMIT_S, LogLine
from harness.checks.contract.people import changed
from harness.checks.contract.reach import NotExercised
from harness.checks.contract.run import DeviationKind, document, environment
from harness.checks.contract.shape import is_time
from harness.model.message import Message, message

CHECKS = Checks(document("Cloud Logging"), DeviationKind.EFFECT)

#: Cloud Logging's LogSeverity.
_SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")


async def _after_a_write(bench: ContractClient) -> tuple[ContractCaller, str, HttpExchange, list[LogLine]]:
    """A walk made, and what the pods have logged since."""
    me = await bench.user()
    mark = bench.ground.logs.mark()
    walk_id = await me.new_walk()
    exchange = bench.exchanges[-1]
    lines = await bench.ground.logs.lines(mark, lambda line: walk_id.lower() in line.text.lower())
    return me, walk_id, exchange, lines


def _of_walk(lines: list[LogLine], walk_id: str) -> list[dict[str, Any]]:
    """The lines that name the walk, in whichever field."""
    found = [line.fields for line in lines if line.fields is not None and walk_id.lower() in line.text.lower()]
    if not found:
        raise NotExercised(message("it needs a JSON line about the walk that was created"))
    return found


def _wrote(line: LogLine) -> Message:
    return message("{pod} wrote {line}", pod=line.pod, line=line.text[:300])


def _every_line(id_: str, field: str, sentence: str, good: Callable[[object, LogLine], bool]) -> None:
    @CHECKS(id_, sentence)
    async def look(bench: ContractClient) -> None:
        _me, _walk_id, exchange, lines = await _after_a_write(bench)
        read = [line for line in lines if line.fields is not None]
        if not read:
            raise NotExercised(message("it needs log lines that are JSON objects"))
        for line in read:
            assert line.fields is not None
            if not good(line.fields.get(field), line):
                raise Deviates(message("{field} as said in every line", field=field), _wrote(line), exchange)


@CHECKS("log.json", "every line of the log is a JSON object")
async def json_lines(bench: ContractClient) -> None:
    """Those since a walk was created."""
    _me, _walk_id, exchange, lines = await _after_a_write(bench)
    if not lines:
        raise NotExercised(
            message("it needs log lines, and none came within {limit} s of a created walk", limit=f"{LINE_LIMIT_S:g}")
        )
    for line in lines:
        if line.fields is None:
            raise Deviates(message("a JSON object a line"), _wrote(line), exchange)


_every_line(
    "log.severity",
    "severity",
    f"severity is one of Cloud Logging's ({', '.join(_SEVERITIES[:6])}, ...)",
    lambda value, _line: value in _SEVERITIES,
)
_every_line("log.message", "message", "message is a text", lambda value, _line: isinstance(value, str) and value != "")
_every_line("log.pod_name", "pod_name", "pod_name is the pod's own (POD_NAME)", lambda value, line: value == line.pod)
_every_line("log.timestamp", "timestamp", "timestamp is RFC 3339", lambda value, _line: is_time(value))


@CHECKS("log.walk_id", "a created walk is logged with its walk_id")
async def walk_id_field(bench: ContractClient) -> None:
    """In the field of that name."""
    _me, walk_id, exchange, lines = await _after_a_write(bench)
    read = [line.fields for line in lines if line.fields is not None]
    if not any(str(fields.get("walk_id")).lower() == walk_id.lower() for fields in read):
        raise Deviates(
            message("a line with walk_id {walk} within {seconds} s", walk=walk_id, seconds=f"{LINE_LIMIT_S:g}"),
            "; ".join(line.text[:200] for line in lines[-3:]) or message("no line"),
            exchange,
        )


@CHECKS("log.user_id", "a created walk is logged with its user_id")
async def user_id_field(bench: ContractClient) -> None:
    """In the line about the walk."""
    me, walk_id, exchange, lines = await _after_a_write(bench)
    found = _of_walk(lines, walk_id)
    if not any(fields.get("user_id") == me.uid for fields in found):
        raise Deviates(f"user_id {me.uid}", f"{found[0]!r:.300}", exchange)


@CHECKS("log.no_token", "no log line holds a token", environment("log-lines"), DeviationKind.LEAK)
async def no_token(bench: ContractClient) -> None:
    """Of a good call and of a refused one, whose token is for another project."""
    me = await bench.user()
    assert me.token is not None
    mark, foreign = bench.ground.logs.mark(), changed(me.token, aud="another-project")
    await bench.with_token(foreign).get("/v1/walks")
    walk_id = await me.new_walk()
    needs(await me.get(f"/v1/walks/{walk_id}"))
    exchange = bench.exchanges[-1]
    lines = await bench.ground.logs.lines(mark, lambda line: walk_id.lower() in line.text.lower())
    payloads = [token.split(".")[1] for token in (me.token, foreign)]
    for line in lines:
        if any(each in line.text for each in payloads):
            raise Deviates(message("no token in the log"), message("{pod} wrote one", pod=line.pod), exchange)
    if not any(walk_id.lower() in line.text.lower() for line in lines):
        raise NotExercised(message("it needs a log line about the walk that was created"))
