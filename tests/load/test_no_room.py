"""A connection that this machine has no file, port or memory for is an error of ours, and no refusal of the target."""

from __future__ import annotations

import asyncio
import errno
import os

import gevent.socket
import pytest

from harness.base.errors import MeasurementFailed
from harness.load import http1
from harness.load.connection import PhoneConnection
from harness.load.rest import runtime
from harness.model.evidence import Outcome
from harness.model.stack import Address

AT = Address(host="127.0.0.1", port=1)
OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL)


def refused(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    error = OSError(number, os.strerror(number))

    async def open_connection(*_: object) -> None:
        raise error

    def create_connection(*_: object) -> None:
        raise error

    monkeypatch.setattr(asyncio, "open_connection", open_connection)
    monkeypatch.setattr(gevent.socket, "create_connection", create_connection)


@pytest.mark.parametrize("number", OURS)
async def test_it_is_an_error_of_the_measurement(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    refused(monkeypatch, number)
    with pytest.raises(MeasurementFailed, match="could not make a connection"):
        await http1.over_socket(AT, "GET", "/", "", b"")
    with pytest.raises(MeasurementFailed, match="could not make a connection"):
        PhoneConnection(AT, runtime()).exchange("GET", "/", "", b"", 5.0)


async def test_what_the_target_refuses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refused(monkeypatch, errno.ECONNREFUSED)
    with pytest.raises(http1.ConnectionRefused):
        await http1.over_socket(AT, "GET", "/", "", b"")
    with pytest.raises(http1.NoAnswer) as met:
        PhoneConnection(AT, runtime()).exchange("GET", "/", "", b"", 5.0)
    assert met.value.outcome is Outcome.REFUSED
