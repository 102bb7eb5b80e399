"""Rate limit, logs, metrics, defects, OpenAPI: what surrounds the calls."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate

import api as package
from api import openapi
from api.clock import SystemClock
from api.errors import RateLimited
from api.logs import Log, LogLine
from api.memory import MemoryDatabase
from api.model import User, WalkPage
from api.ratelimit import RateLimit
from tests.api import world
from tests.api.contract import assert_error, location
from tests.api.world import World, new_id, new_user


class Clock(SystemClock):
    def __init__(self) -> None:
        self.now_s = 1_760_918_400.0

    def unix_s(self) -> float:
        return self.now_s

    def monotonic_ns(self) -> int:
        return round(self.now_s * 1e9)


def test_the_window_slides() -> None:
    clock = Clock()
    limit = RateLimit(clock, 100)
    for n in range(100):
        limit.admit("a")
        clock.now_s += 0.1 if n < 99 else 0
    with pytest.raises(RateLimited) as refused:
        limit.admit("a")
    assert refused.value.headers == {"Retry-After": "51"}  # the first was 9.9 s ago: 50.1 s, rounded up
    limit.admit("b")
    clock.now_s += 50.05
    with pytest.raises(RateLimited) as refused:
        limit.admit("a")
    assert refused.value.headers == {"Retry-After": "1"}
    clock.now_s += 0.06
    limit.admit("a")  # one has left the window, one fits
    with pytest.raises(RateLimited):
        limit.admit("a")


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 240)), max_size=60))
def test_no_minute_has_more_than_the_limit_and_whoever_waits_as_told_gets_in(
    most: int, calls: list[tuple[str, int]]
) -> None:
    """Whatever others send. Pauses are of quarters of a second, which a float holds exactly."""
    clock = Clock()
    limit, admitted = RateLimit(clock, most), {"a": list[float](), "b": list[float]()}
    for user, quarters in calls:
        clock.now_s += quarters / 4
        last = [at_s for at_s in admitted[user] if clock.now_s - at_s < 60]
        if len(last) == most:
            with pytest.raises(RateLimited) as refused:
                limit.admit(user)
            wait_s = int((refused.value.headers or {})["Retry-After"])
            assert wait_s - 1 < last[0] + 60 - clock.now_s <= wait_s, "whole seconds, and no more than needed"
            clock.now_s += wait_s
        limit.admit(user)
        admitted[user].append(clock.now_s)


async def test_the_101st_request_of_a_minute_is_refused_and_others_are_not() -> None:
    clock = Clock()
    async with (
        world.running(None, None, clock, rate_limit_per_minute=100) as api,
        api.as_user() as client,
        api.as_user() as other,
    ):
        for _ in range(100):
            assert (await client.get("/v1/walks")).status_code == 200
        answer = await client.put(f"/v1/walks/{new_id()}", json={})
        assert_error(answer, 429, "RATE_LIMITED")
        assert answer.headers["retry-after"] == "60"
        assert (await other.get("/v1/walks")).status_code == 200
        clock.now_s += 60
        assert (await client.get("/v1/walks")).status_code == 200


async def test_a_log_line_has_the_documents_fields(api: World) -> None:
    uid = new_user()
    async with api.as_user(uid) as client:
        walk_id = (await client.post("/v1/walks", json={"title": "t"})).json()["id"]
        await client.put(f"/v1/walks/{walk_id}", json={})
        await client.delete(f"/v1/walks/{walk_id}")
    lines = [line for line in api.logs if line.get("walk_id") == walk_id and line["severity"] == "INFO"]
    assert [line["message"] for line in lines] == ["Walk created", "Walk saved", "Walk deleted"]
    for line in lines:
        assert set(line) == {"severity", "message", "walk_id", "user_id", "pod_name", "timestamp"}
        assert (line["user_id"], line["pod_name"]) == (uid, "pod-1")
        assert abs((datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)).total_seconds()) < 60


def test_a_line_is_one_line_and_a_level_is_a_level() -> None:
    lines: list[bytes] = []
    log = Log(SystemClock(), pod_name="p", level="warning", write=lines.append)
    log.info("not this")
    log.warning('a\n"b"\u2028', user_id="\n")
    assert len(lines) == 1
    assert lines[0].count(b"\n") == 1
    assert json.loads(lines[0])["message"] == 'a\n"b"\u2028'
    text = Log(SystemClock(), pod_name="p", level="info", form="text", write=lines.append)
    text.error("a\nb", walk_id="w")
    assert lines[1].count(b"\n") == 1
    assert b"ERROR" in lines[1]
    assert b"walk_id='w'" in lines[1]


def test_every_field_that_is_logged_is_a_field_of_the_line() -> None:
    """``Log`` takes keywords; a wrong one would fail the request that logs it."""
    import ast

    for path in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("debug", "info", "warning", "error")
                and "log" in ast.unparse(node.func.value)
            ):
                given = {keyword.arg for keyword in node.keywords if keyword.arg}
                assert given <= set(LogLine.__struct_fields__), f"{path.name}:{node.lineno}"


async def test_a_full_disk_fails_no_request() -> None:
    def refuse(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    async with world.running() as api, api.as_user() as client:
        api.service.log._write = refuse
        assert (await client.post("/v1/walks", json={"title": "t"})).status_code == 201
        assert "log_lines_lost_total 2.0\n" in (await api.metrics()).text  # the walk's and, at debug, the request's
        api.service.log._write = lambda _: None


async def test_metrics_count_by_method_route_and_status(api: World) -> None:
    async with api.as_user() as client:
        for _ in range(3):
            await client.get(f"/v1/walks/{new_id()}")
        await client.put(f"/v1/walks/{new_id()}", json={})
        await client.get("/v1/walks?page=0")
        await client.request("BREW", "/nowhere")
    answer = await api.metrics()
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.text
    for line in (
        'http_requests_total{method="GET",route="/v1/walks/{id}",status="404"} 3.0',
        'http_requests_total{method="PUT",route="/v1/walks/{id}",status="200"} 1.0',
        'http_requests_total{method="GET",route="/v1/walks",status="400"} 1.0',
        'http_requests_total{method="OTHER",route="unmatched",status="404"} 1.0',
        'http_request_duration_seconds_bucket{le="+Inf",route="/v1/walks/{id}"} 4.0',
        'http_request_duration_seconds_count{route="/v1/walks/{id}"} 4.0',
    ):
        assert line + "\n" in text, text
    for name in ("mirror_queue", "database_pool_connections", "database_pool_idle", "database_pool_limit"):
        assert f"\n{name} " in text
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or float(line.rsplit(" ", 1)[1]) >= 0


async def test_a_defect_is_a_500_with_the_error_body_a_log_line_and_a_count() -> None:
    class Broken(MemoryDatabase):
        async def list_walks(self, user: User, page: int, limit: int) -> WalkPage:
            raise KeyError("secret detail")

    async with world.running(Broken(SystemClock())) as api, api.as_user() as client:
        answer = await client.get("/v1/walks")
        assert_error(answer, 500, "INTERNAL_ERROR")
        assert "secret" not in answer.text
        assert answer.headers["x-pod-name"] == "pod-1"
        [line] = [line for line in api.logs if line["severity"] == "ERROR"]
        assert "KeyError: 'secret detail' [test_edges.py:" in line["error"]
        assert line["route"] == "/v1/walks"
        metrics = (await api.metrics()).text
        assert 'http_requests_total{method="GET",route="/v1/walks",status="500"} 1.0\n' in metrics


async def test_a_stopping_pod_is_not_ready_and_still_answers(api: World) -> None:
    api.service.begin_stop()
    async with api.as_user() as client:
        assert_error(await client.get("/ready"), 503, "INTERNAL_ERROR")
        assert (await client.get("/health")).status_code == 200
        assert (await client.post("/v1/walks", json={"title": "t"})).status_code == 201


def test_the_openapi_document_is_valid_and_the_committed_copy_is_it() -> None:
    validate(openapi.document())
    committed = Path(package.__file__).parent / "openapi.json"
    assert committed.read_text(encoding="utf-8") == openapi.text(), "run: python -m api openapi > api/openapi.json"


async def test_answers_are_as_the_openapi_document_says(api: World) -> None:
    document = openapi.document()
    seen: set[tuple[str, str, str]] = set()

    async def check(client: Any, method: str, path: str, template: str, **arguments: Any) -> Any:
        answer = await client.request(method, path, **arguments)
        described = document["paths"][template][method.lower()]["responses"][str(answer.status_code)]
        seen.add((method, template, str(answer.status_code)))
        if "content" in described:
            [(media_type, content)] = described["content"].items()
            assert answer.headers["content-type"].startswith(media_type)
            if schema := content.get("schema"):
                jsonschema.validate(
                    answer.json(),
                    schema | {"components": document["components"]},
                    format_checker=jsonschema.FormatChecker(),
                )
        else:
            assert answer.content == b""
        return answer

    one, all_ = "/v1/walks/{id}", "/v1/walks"
    async with api.as_user() as client, api.anonymous() as stranger:
        walk = (await check(client, "POST", all_, all_, json={"title": "t"})).json()
        path = f"/v1/walks/{walk['id']}"
        await check(client, "POST", all_, all_, json={})
        await check(client, "PUT", path, one, json={"locations": [location(0)], "start_time": "2025-10-20T09:00:00Z"})
        await check(client, "PUT", path, one, json={"status": 1})
        await check(client, "GET", path, one)
        await check(client, "GET", all_, all_)
        await check(client, "GET", all_ + "?page=x", all_)
        await check(client, "DELETE", path, one)
        await check(client, "DELETE", path, one)
        await check(client, "GET", path, one)
        for template in ("/health", "/ready", "/openapi.json"):
            await check(stranger, "GET", template, template)
        for method, template in (("GET", all_), ("POST", all_), ("GET", one), ("PUT", one), ("DELETE", one)):
            await check(stranger, method, template.replace("{id}", walk["id"]), template, json={})
    assert len(seen) == 18


def test_the_document_lists_every_route() -> None:
    async def routes() -> set[tuple[str, str]]:
        async with world.running() as api:
            return {(method.lower(), route.path) for route in api.app.routes for method in route.methods}

    import asyncio

    written = {
        (method, path)
        for path, calls in openapi.document()["paths"].items()
        for method in calls
        if method != "parameters"
    }
    assert asyncio.run(routes()) == written
