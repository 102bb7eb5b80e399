"""How the load process' end is told: in a process of its own, because importing locust patches the sockets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.base.data import ROOT

pytestmark = pytest.mark.process

TOLD = """
from harness.load.locust_main import LoadEnding
from gevent.event import Event
import gevent
from harness.load.greenlets import tell_of_every_greenlet

ending = LoadEnding(Event())
ending.tell()
assert ending.asked and ending.error is None
late = KeyError("of what was still under way")
ending.tell(late)
ending.tell(ValueError("another"))
assert ending.error is late, ending.error

other = LoadEnding(Event())
tell_of_every_greenlet(other.tell)
def breaks():
    raise RecursionError("in a fetch")
gevent.spawn(breaks)
killed = gevent.spawn(gevent.sleep, 60)
gevent.sleep(0.05)
killed.kill()
assert other.asked
assert isinstance(other.error, RecursionError), other.error
print("told")
"""


def test_an_error_after_the_end_was_asked_for_and_one_of_any_greenlet_are_told() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOLD], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "told\n", done.stderr
