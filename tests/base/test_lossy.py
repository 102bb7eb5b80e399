"""A stream that drops what nobody will read, and nothing else."""

from __future__ import annotations

import os
import threading

from harness.base.terminal import Lossy


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
