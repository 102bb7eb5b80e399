"""A small target that keeps the environment contract, so that the stack's tests cost little: standard library alone.

``/health`` is 200, ``/ready`` is 200 while DB_HOST:DB_PORT accepts, ``/environment`` gives what it was started with,
``/hang`` takes five seconds, ``/unlive`` makes ``/health`` answer 500, ``/unready`` makes ``/ready`` answer 503; all
else echoes the body with 200. SIGTERM: stop accepting, finish what runs, exit 0.
"""

import asyncio
import json
import os
import signal

REASONS = {200: "OK", 500: "Error", 503: "Unavailable"}
broken: set[str] = set()


async def database_answers() -> bool:
    try:
        reader, writer = await asyncio.open_connection(os.environ["DB_HOST"], int(os.environ["DB_PORT"]))
        writer.write((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))  # SSLRequest: PostgreSQL answers one byte
        answer = await reader.read(1)
        writer.close()
    except OSError:
        return False
    return answer in (b"S", b"N")


async def answer(path: str, body: bytes) -> tuple[int, bytes]:
    if path == "/health":
        return (500 if "/unlive" in broken else 200), b"{}"
    if path == "/ready":
        return (200 if "/unready" not in broken and await database_answers() else 503), b"{}"
    if path == "/environment":
        return 200, json.dumps(dict(os.environ)).encode()
    if path == "/hang":
        await asyncio.sleep(5)
    if path in ("/unlive", "/unready"):
        broken.add(path)
    return 200, body


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            status, answered = await answer(lines[0].split()[1], body)
            closing = stopping.is_set() or headers.get("connection", "").lower() == "close"
            writer.write(
                f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Length: {len(answered)}\r\n"
                f"X-Pod: {os.environ['POD_NAME']}\r\n{'Connection: close' if closing else 'X: y'}\r\n\r\n".encode()
                + answered
            )
            await writer.drain()
            if closing:
                return
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    print("serving", flush=True)
    await stopping.wait()
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=2)


stopping = asyncio.Event()
if __name__ == "__main__":
    asyncio.run(main())
