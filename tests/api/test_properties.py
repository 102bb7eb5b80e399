"""Whatever the body, query, id or header: never a 5xx, always the contract's error body, and what was accepted is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.clock import SystemClock
from api.model import MAX_LOCATIONS, Location
from api.postgres import PostgresDatabase
from api.settings import DatabaseSettings
from tests.api import world
from tests.api.world import new_id
from tests.session.examples import examples

pytestmark = pytest.mark.process

Run = Callable[[Callable[[httpx.AsyncClient], Coroutine[Any, Any, Any]]], Any]
EXAMPLES = settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def run(migrated: DatabaseSettings) -> Iterator[Run]:
    """Runs a coroutine function with a client of an API over PostgreSQL, one loop and one API for the module."""
    with asyncio.Runner() as runner:
        context = world.running(PostgresDatabase(migrated, SystemClock()))
        api = runner.run(context.__aenter__())
        client = api.as_user()
        yield lambda call: runner.run(call(client))
        runner.run(client.aclose())
        runner.run(context.__aexit__(None, None, None))


def assert_bearable(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"code", "message"}


texts = st.text(st.characters(), max_size=300)  # surrogates and NUL too
numbers = st.one_of(st.integers(), st.floats(), st.integers(-(10**40), 10**40), st.sampled_from([0, -0.0, 90, 1e308]))
times = st.one_of(
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-12))])).map(
        datetime.isoformat
    ),
    st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z", "2025-02-30T00:00:00Z", "infinity", "now"]),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts, times),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
status = st.sampled_from(["not_started", "in_progress", "paused", "completed"])
locations = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "latitude": st.one_of(st.floats(-90, 90), numbers),
            "longitude": st.one_of(st.floats(-180, 180), numbers),
            "timestamp": times,
            "sequence_number": st.one_of(st.integers(0, 5), numbers),
            "altitude": anything,
            "speed": anything,
            "course": numbers,
            "horizontal_accuracy": numbers,
            "vertical_accuracy": st.none(),
        },
    ),
    max_size=5,
)
near_misses = st.fixed_dictionaries(
    {},
    optional={
        "title": st.one_of(texts, anything),
        "description": st.one_of(texts, anything),
        "start_time": st.one_of(times, anything),
        "end_time": st.one_of(times, anything),
        "paused_at": times,
        "total_distance": numbers,
        "total_steps": numbers,
        "polyline_data": texts,
        "thumbnail_image_url": texts,
        "status": st.one_of(status, texts),
        "total_paused_duration": numbers,
        "locations": st.one_of(locations, anything),
    },
)


@EXAMPLES
@given(body=st.one_of(near_misses, anything))
def test_any_json_body(run: Run, body: Any) -> None:
    content = json.dumps(body).encode("utf-8")  # NaN and Infinity appear as such, surrogates escaped
    headers = {"Content-Type": "application/json"}

    async def call(client: httpx.AsyncClient) -> None:
        path = f"/v1/walks/{new_id()}"
        assert_bearable(await client.post("/v1/walks", content=content, headers=headers))
        answer = await client.put(path, content=content, headers=headers)
        assert_bearable(answer)
        assert (await client.get(path)).status_code == (200 if answer.status_code == 200 else 404)

    run(call)


@EXAMPLES
@given(content=st.binary(max_size=400), content_type=st.sampled_from(["application/json", "text/html"]))
def test_any_bytes(run: Run, content: bytes, content_type: str) -> None:
    async def call(client: httpx.AsyncClient) -> None:
        headers = {"Content-Type": content_type}
        assert_bearable(await client.post("/v1/walks", content=content, headers=headers))
        assert_bearable(await client.put(f"/v1/walks/{new_id()}", content=content, headers=headers))

    run(call)


@EXAMPLES
@given(
    query=st.one_of(
        st.binary(max_size=60),
        st.builds(
            lambda page, limit: f"page={page}&limit={limit}".encode(errors="surrogatepass"),
            st.one_of(st.integers(-5, 2000), texts),
            st.one_of(st.integers(-5, 200), texts),
        ),
    )
)
def test_any_query(run: Run, query: bytes) -> None:
    async def call(client: httpx.AsyncClient) -> None:
        transport = client._transport
        assert isinstance(transport, httpx.ASGITransport)

        async def with_query(scope: Any, receive: Any, send: Any) -> None:  # httpx would refuse to send many of them
            await transport.app(scope | {"query_string": query}, receive, send)

        headers = client.headers
        async with httpx.AsyncClient(transport=httpx.ASGITransport(with_query), headers=headers) as odd:
            answer = await odd.get("http://api/v1/walks")
        assert_bearable(answer)
        assert answer.status_code in (200, 400)

    run(call)


@EXAMPLES
@given(walk_id=st.one_of(st.text(min_size=1, max_size=40), st.uuids().map(str), st.uuids().map(lambda u: u.hex)))
def test_any_id(run: Run, walk_id: str) -> None:
    from urllib.parse import quote

    async def call(client: httpx.AsyncClient) -> None:
        for method in ("GET", "DELETE", "PUT"):
            answer = await client.request(method, f"/v1/walks/{quote(walk_id, safe='')}", json={})
            assert_bearable(answer)

    run(call)


@EXAMPLES
@given(header=st.binary(max_size=80).filter(lambda value: b"\n" not in value and b"\r" not in value))
def test_any_authorization(run: Run, header: bytes) -> None:
    async def call(client: httpx.AsyncClient) -> None:
        request = client.build_request("GET", "/v1/walks")
        del request.headers["Authorization"]
        request.headers = httpx.Headers([*request.headers.raw, (b"authorization", b"Bearer bad" + header)])
        answer = await client.send(request)
        assert answer.status_code == 401
        assert_bearable(answer)

    run(call)


finite = st.floats(allow_nan=False, allow_infinity=False)
# Naive bounds: hypothesis adds the zone.
good_times = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
good_locations = st.lists(
    st.builds(
        Location,
        st.floats(-90, 90),
        st.floats(-180, 180),
        good_times,
        st.integers(0, MAX_LOCATIONS - 1),
        *[st.none() | finite] * 5,
    ),
    max_size=12,
)


@EXAMPLES
@given(batches=st.lists(good_locations, min_size=1, max_size=3))
def test_good_locations_come_back_as_sent(run: Run, batches: list[list[Location]]) -> None:
    import msgspec

    path = f"/v1/walks/{new_id()}"
    expected: dict[int, Location] = {}

    async def call(client: httpx.AsyncClient) -> None:
        for batch in batches:
            expected.update({location.sequence_number: location for location in batch})
            body = msgspec.json.encode({"locations": batch})
            answer = await client.put(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 200, answer.text
        answer = await client.get(path)
        back = msgspec.convert(answer.json()["locations"], list[Location])
        assert back == [expected[number] for number in sorted(expected)]

    run(call)
