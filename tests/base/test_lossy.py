"""A stream that drops what nobody will read, and nothing else."""

from __future__ import annotations

import os
import threading

from harness.base.terminal import HELD_WRITES, Lossy, Unblocked


def test_a_pipe_that_blocks_nobody_is_written_whole() -> None:
    """Another program that shares it has made it so: of a long ``--json`` all behind the first 64 KiB was dropped."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    found, whole = bytearray(), os.urandom(1_000_000)

    def read() -> None:
        while block := os.read(reads, 65_536):
            found.extend(block)

    reader = threading.Thread(target=read)
    reader.start()
    stream = Lossy(writes)
    assert stream.write(whole) == len(whole) and stream.lost is None
    os.close(writes)
    reader.join()
    os.close(reads)
    assert bytes(found) == whole


def test_what_nobody_reads_is_held_then_dropped_and_the_drop_is_told_to_who_reads_on() -> None:
    reads, writes = os.pipe()
    stream, line = Unblocked(writes), b"x" * 999 + b"\n"
    for _ in range(2 * HELD_WRITES):
        assert stream.write(line) == len(line)
    found = bytearray()
    while b"dropped" not in found:
        found.extend(os.read(reads, 65_536))
    assert HELD_WRITES <= found.count(line) < HELD_WRITES + 200
    assert stream.write(b"on again\n") and os.read(reads, 100) == b"on again\n"
    os.close(reads)
    os.close(writes)
