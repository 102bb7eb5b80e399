"""The database sidecar of a pod: a TCP proxy on loopback, where the document has Cloud SQL Proxy.

Run as a file, standard library alone and without ``site``, so that it starts in a moment and stays small. As Cloud SQL
Proxy does by default, it ends at once on SIGTERM and cuts the connections under way.
"""

import asyncio
import os
import signal
import sys

CHUNK_BYTES = 65536


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until the end of ``reader``, then ends ``writer``'s direction."""
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def relay(client: asyncio.StreamReader, answer: asyncio.StreamWriter, host: str, port: int) -> None:
    """One connection: both directions until both ended or one broke. A database that refuses refuses the client."""
    try:
        server, request = await asyncio.open_connection(host, port)
    except OSError as error:
        sys.stderr.write(f"the database at {host}:{port} refused: {error}\n")
        answer.transport.abort()
        return
    directions = [asyncio.ensure_future(pump(client, request)), asyncio.ensure_future(pump(server, answer))]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        request.close()
        answer.close()


async def main(listen_port: int, host: str, port: int) -> None:
    """Serves until SIGTERM ends it. By a handler, because a container's first process has no default actions."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    server = await asyncio.start_server(lambda r, w: relay(r, w, host, port), "127.0.0.1", listen_port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
