"""More requests than the process takes are refused at once; what the platform asks is answered all the same."""

from __future__ import annotations

import asyncio

from api.clock import SystemClock
from api.memory import MemoryDatabase
from tests.api import world
from tests.api.contract import assert_error


async def test_requests_beyond_the_limit_are_refused_and_probes_are_not() -> None:
    database = MemoryDatabase(SystemClock(), delay_s=0.3)
    async with world.running(database, max_requests_in_flight=3) as api, api.as_user() as client:
        held = [asyncio.create_task(client.get("/v1/walks")) for _ in range(3)]
        while api.service.in_flight < 3:  # noqa: ASYNC110 - a count tells nobody
            await asyncio.sleep(0.005)
        assert "http_requests_in_flight 3.0\n" in (await api.metrics()).text
        for path in ("/v1/walks", "/openapi.json", "/nowhere"):
            answer = await client.get(path)
            assert_error(answer, 503, "INTERNAL_ERROR")
            assert answer.headers["retry-after"] == "1"
            assert answer.headers["x-pod-name"] == "pod-1"
        for path in ("/health", "/ready"):
            assert (await client.get(path)).status_code == 200
        assert [answer.status_code for answer in await asyncio.gather(*held)] == [200] * 3
        assert api.service.in_flight == 0
        assert (await client.get("/v1/walks")).status_code == 200
        assert 'status="503"} 3.0\n' in (await api.metrics()).text


async def test_probes_and_failed_requests_take_no_place_for_ever() -> None:
    async with world.running(max_requests_in_flight=1) as api, api.as_user() as client:
        for path in ("/health", "/ready", "/v1/walks/nonsense", "/v1/walks?page=0"):
            await client.get(path)
        cancelled = asyncio.create_task(client.get("/v1/walks"))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        assert api.service.in_flight == 0
        assert (await client.get("/v1/walks")).status_code == 200
