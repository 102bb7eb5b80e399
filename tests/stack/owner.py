"""A process that owns a stack and does nothing else, for tests that kill it."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from tests.stack.rungs import local


async def main(run_id: str, folder: str) -> None:
    stack = local(Path(folder), name=run_id, fault_proxy=True)
    try:
        await stack.up()
        print("up", flush=True)
        await asyncio.sleep(120)
    finally:
        await stack.down()
        print(stack.leaks(), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
