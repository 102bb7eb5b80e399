"""Programs run for the cluster: bounded in time, ended with their children, their last words in the error."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.base.errors import StackNotStarted
from harness.model.message import Message, message

Line = Callable[[str], None]
_LAST_WORDS = 1500
_READ_BYTES = 64 * 1024


async def run(
    command: Sequence[str | Path],
    *,
    what: str,
    limit_s: float,
    stdin: bytes | Path | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    on_line: Line | None = None,
    remedy: str | Message = "",
    keep: Sequence[int] = (),
) -> str:
    """Runs ``command`` to its end; returns its standard output. ``what`` completes "... failed".

    ``stdin`` is content or a file; ``environment`` is added to ours; ``on_line`` hears each line of standard error as
    it comes; the file descriptors ``keep`` stay open in the program, so that a lock outlives a killed harness. Raises
    ``StackNotStarted`` when the program is missing, ends with an error, or passes ``limit_s``. When cancelled, the
    program's whole group is ended.
    """
    content = stdin if isinstance(stdin, bytes) else None
    file = stdin.open("rb") if isinstance(stdin, Path) else None
    try:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=file or (asyncio.subprocess.DEVNULL if content is None else asyncio.subprocess.PIPE),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            start_new_session=True,
            pass_fds=tuple(keep),
        )
    except FileNotFoundError as error:
        raise StackNotStarted(
            message("{what} failed: {strerror}", what=Message(text=what), strerror=str(error.strerror)),
            where=str(command[0]),
            remedy=remedy,
        ) from error
    finally:
        if file is not None:
            file.close()  # the program has its own
    said: list[str] = []
    try:
        async with asyncio.timeout(limit_s):
            output, _, _ = await asyncio.gather(
                _read(process.stdout), _hear(process.stderr, said, on_line), _feed(process.stdin, content)
            )
            await process.wait()
    except TimeoutError:
        late = message("{what} was not done after {limit_s} s", what=Message(text=what), limit_s=f"{limit_s:g}")
        raise _failure(late, command, said, remedy) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        failed = message("{what} failed (status {status})", what=Message(text=what), status=str(process.returncode))
        raise _failure(failed, command, said or [output.decode()], remedy)
    return output.decode(errors="replace")


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None
    return await stream.read()


async def _hear(stream: asyncio.StreamReader | None, said: list[str], on_line: Line | None) -> None:
    assert stream is not None
    begun, chunk = b"", b"\n"
    while chunk:
        chunk = await stream.read(_READ_BYTES)
        *whole, begun = (begun[:_READ_BYTES] + (chunk or b"\n")).split(b"\n")  # the rest of a longer line is left out
        for line in filter(None, (each.decode(errors="replace").rstrip() for each in whole)):
            said.append(line)
            del said[:-40]
            if on_line is not None:
                on_line(line)


async def _feed(stream: asyncio.StreamWriter | None, stdin: bytes | None) -> None:
    if stream is None or stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(stdin)
        await stream.drain()
    stream.close()


def _failure(what: Message, command: Sequence[str | Path], said: list[str], remedy: str | Message) -> StackNotStarted:
    words = "\n".join(said).strip()[-_LAST_WORDS:]
    told = message("{what}: {why}", what=what, why=words) if words else what
    return StackNotStarted(told, where=" ".join(map(str, command[:4])), remedy=remedy)
