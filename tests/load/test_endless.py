"""A target's endless answer, whatever of it is endless, costs the load little memory and is bad."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.endless import ENDLESS, endless_server

pytestmark = pytest.mark.process

MOST_MIB = 64
#: Prints of each path how many KiB more the process had at its highest, and what came of the exchange.
CLIENT = """
import asyncio, json, sys
import gevent
from harness.load.connection import PhoneConnection
from harness.load.http1 import NoAnswer, over_socket
from harness.load.rest import runtime
from harness.model.stack import Address

address = Address(host="127.0.0.1", port=int(sys.argv[1]))

def phone(path):
    try:
        connection = PhoneConnection(address, runtime())
        return len(connection.exchange("GET", path, "t", b"", 10).behind)
    except NoAnswer as ended:
        return ended.outcome, ended.wire

def probe(path):
    try:
        return len(asyncio.run(asyncio.wait_for(over_socket(address, "GET", path, "t", b""), 10)).behind)
    except NoAnswer as ended:
        return ended.outcome, ended.wire

def status(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

for ask in (phone, probe):
    ask("/whole")
    for path in sys.argv[2:]:
        open("/proc/self/clear_refs", "w").write("5")  # the highest begins anew
        before = status("VmRSS")
        came = ask("/" + path)
        print(json.dumps([ask.__name__, path, status("VmHWM") - before, came]), flush=True)
"""


def test_an_endless_answer_costs_the_load_less_than_64_mib() -> None:
    with endless_server() as port:
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, str(port), *ENDLESS],
            cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 2 * len(ENDLESS), done.stderr
    for who, path, more_kib, came in told:
        assert more_kib < MOST_MIB * 1024, (who, path, more_kib)
        if path == "behind":
            assert came > 0 or who == "probe"
        else:
            assert came == ["bad_answer", "too_long"], (who, path, came)
