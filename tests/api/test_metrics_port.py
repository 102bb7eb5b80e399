"""The metrics are on a port of their own, and nowhere else."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from api import metrics_port
from api.settings import DatabaseSettings
from tests.api import world
from tests.api.contract import assert_error
from tests.api.pod import Pod
from tests.ports import free_port


async def test_the_service_has_no_metrics_and_their_port_nothing_else() -> None:
    async with world.running() as api, api.anonymous() as client:
        assert_error(await client.get("/metrics"), 404, "NOT_FOUND")
        assert (await api.metrics()).status_code == 200
        transport = httpx.ASGITransport(metrics_port.page(api.service))
        async with httpx.AsyncClient(transport=transport, base_url="http://metrics") as operator:
            for method, path in (("GET", "/v1/walks"), ("GET", "/health"), ("POST", "/metrics")):
                assert_error(await operator.request(method, path), 404, "NOT_FOUND")


@pytest.mark.process
def test_a_real_pod_serves_both_until_sigterm(tmp_path: Path) -> None:
    with Pod(tmp_path, DatabaseSettings(port=free_port()), free_port(), MIRROR_SHARE_PERCENT="0") as pod:
        pod.wait_until_ready("/health")
        with pod.client() as client:
            assert client.get("/metrics").status_code == 404
        with httpx.Client(trust_env=False) as scraper:  # its connection is kept, as a scraper's is
            page = scraper.get(f"http://127.0.0.1:{pod.metrics_port}/metrics")
            assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert 'route="/health",status="200"' in page.text
            status, seconds = pod.stop()
        assert status == 0 and seconds < 6


@pytest.mark.process
def test_without_a_port_there_are_none(tmp_path: Path) -> None:
    with Pod(
        tmp_path, DatabaseSettings(port=free_port()), free_port(), MIRROR_SHARE_PERCENT="0", METRICS_PORT=""
    ) as pod:
        pod.wait_until_ready("/health")
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", pod.metrics_port)) != 0
        assert pod.stop()[0] == 0


@pytest.mark.process
def test_a_taken_metrics_port_is_said_and_ends_the_process(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with Pod(tmp_path, DatabaseSettings(), free_port(), METRICS_PORT=port) as pod:
            assert pod.process.wait(20) == 3
        [line] = [line for line in pod.lines() if line["severity"] == "ERROR"]
        assert f"METRICS_PORT={port}" in line["message"] and "in use" in line["message"]
