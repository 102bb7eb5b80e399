"""Locust's master for the stages: ``python -m harness.load.stages.master_main PORT WORKERS USERS``.

Reads one ``Command`` a line on its standard input and sends it to every worker; ends them when the input ends. Prints
``ready`` once all workers are connected and their users spawned.
"""

from __future__ import annotations

# isort: off
from harness.load.patched import locust  # before all else: it patches the standard library
# isort: on

import sys

import gevent
import msgspec
from gevent.os import make_nonblocking, nb_read
from locust.env import Environment

from harness.load import errors
from harness.load.stages.plan import Command
from harness.load.time import NS, now_ns

CONNECT_LIMIT_S = 90.0
_POLL_S = 0.05


class StageUser(locust.User):
    """Stands for the workers' user class of the same name: the master spawns by name and runs none itself."""

    @locust.task
    def act(self) -> None:
        """Never run here."""


def main(arguments: list[str]) -> int:
    """The exit status (``harness.load.errors``)."""
    port, workers, users = (int(argument) for argument in arguments)
    environment = Environment(user_classes=[StageUser])
    runner = environment.create_master_runner(master_bind_host="127.0.0.1", master_bind_port=port)
    give_up_ns = now_ns() + round(CONNECT_LIMIT_S * NS)
    while len(runner.clients.ready) < workers:
        if now_ns() > give_up_ns:
            sys.stderr.write(f"master: {len(runner.clients.ready)} of {workers} workers came\n")
            return errors.MEASUREMENT
        gevent.sleep(_POLL_S)
    runner.start(users, spawn_rate=users)
    while runner.user_count < users:
        gevent.sleep(_POLL_S)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    make_nonblocking(0)
    rest = b""
    while block := nb_read(0, 4096):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            runner.send_message("step", msgspec.to_builtins(msgspec.json.decode(line, type=Command)))
    runner.quit()
    return errors.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
