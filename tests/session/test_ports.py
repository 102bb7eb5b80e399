"""The ports of a test's own servers: of a range that nobody else takes, and none twice before all others."""

from __future__ import annotations

import socket

from harness.stack.state.ports import FIRST_PORT, HOST, PORTS_PER_SLOT, PortSlot
from tests.ports import free_port


def test_they_are_of_one_guarded_range_and_come_again_when_all_others_were_taken() -> None:
    beside = PortSlot()
    try:
        ports = [free_port() for _ in range(PORTS_PER_SLOT // 2)]
        assert len(set(ports)) == len(ports)
        [slot] = {(port - FIRST_PORT) // PORTS_PER_SLOT for port in ports}
        assert (beside.take() - FIRST_PORT) // PORTS_PER_SLOT != slot
    finally:
        beside.release()


def test_one_that_is_listened_on_is_passed_over() -> None:
    with socket.create_server((HOST, free_port())) as server:
        taken = server.getsockname()[1]
        assert taken not in [free_port() for _ in range(PORTS_PER_SLOT)]
