"""Locust's master for the stages: ``python -m harness.load.stages.master_main PLAN.json``, any worker's.

Reads one ``Command`` a line on its standard input and sends it to every worker; ends them when the input ends. It tells
``ready`` once all workers are connected and their users spawned.
"""

from __future__ import annotations

# isort: off
from harness.load.patched import locust  # before all else: it patches the standard library
# isort: on

import sys

import gevent
import msgspec
from locust.env import Environment

from harness.base.errors import MeasurementFailed
from harness.load.child import run
from harness.load.greenlets import lines_of_input
from harness.load.plan import LOOPBACK
from harness.load.recorder import Recorder
from harness.load.stages.plan import Command, WorkerPlan
from harness.load.time import NS, now_ns

CONNECT_LIMIT_S = 90.0
_POLL_S = 0.05


class StageUser(locust.User):
    """Stands for the workers' user class of the same name: the master spawns by name and runs none itself."""

    @locust.task
    def act(self) -> None:
        """Never run here."""


def work(plan: WorkerPlan, recorder: Recorder) -> None:
    """Until the input ends. Raises ``MeasurementFailed`` when the workers do not come."""
    environment = Environment(user_classes=[StageUser])
    runner = environment.create_master_runner(master_bind_host=LOOPBACK, master_bind_port=plan.master_port)
    give_up_ns = now_ns() + round(CONNECT_LIMIT_S * NS)
    while (came := len(runner.clients.ready)) < plan.workers:
        if now_ns() > give_up_ns:
            raise MeasurementFailed(f"{came} of {plan.workers} workers came within {CONNECT_LIMIT_S:g} s")
        gevent.sleep(_POLL_S)
    runner.start(plan.accounts, spawn_rate=plan.accounts)
    while runner.user_count < plan.accounts:
        gevent.sleep(_POLL_S)
    recorder.event("component", "load-master", "ready")
    recorder.flush()
    for line in lines_of_input():
        runner.send_message("step", msgspec.to_builtins(msgspec.json.decode(line, type=Command)))
    runner.quit()


if __name__ == "__main__":
    sys.exit(run("load-master", sys.argv[1:], WorkerPlan, work))
