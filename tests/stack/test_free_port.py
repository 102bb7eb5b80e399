"""Ports for listeners beside the stack: none that a connection may take first."""

from __future__ import annotations

import socket

import pytest

from harness.base import free_port
from harness.base.free_port import any_free_port


def test_none_comes_twice_and_none_is_of_those_that_linux_gives_to_connections() -> None:
    ports = [any_free_port() for _ in range(50)]
    assert len(set(ports)) == len(ports)
    assert min(ports) > 60_999


def test_processes_that_start_together_begin_with_different_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    begins = set()
    for pid in range(32_700, 32_769):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        begins.add(next(free_port._order.__wrapped__()))
    assert len(begins) == 69


def test_one_that_somebody_listens_on_is_passed_over_and_the_system_s_choice_comes_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = any_free_port()
    monkeypatch.setattr(free_port, "_BESIDE", range(port, port + 1))
    monkeypatch.setattr(free_port, "_order", lambda: iter([port]))
    assert any_free_port() == port
    monkeypatch.setattr(free_port, "_order", lambda: iter([port]))
    with socket.create_server(("127.0.0.1", port)):
        other = any_free_port()
    assert other != port and other > 0
