"""``python -m bench.twin``: the twin as a process, told by the same environment, on uvicorn with the same options."""

from __future__ import annotations

import gc
import os

import uvicorn

from bench.twin.application import Twin


def main() -> None:
    """Serves until SIGTERM."""
    told = os.environ
    address = {
        "host": told["DB_HOST"],
        "port": int(told["DB_PORT"]),
        "user": told["DB_USER"],
        "password": told["DB_PASSWORD"],
        "database": told["DB_NAME"],
        "max_size": int(told.get("DB_POOL_MAX", "8")),
    }
    twin = Twin(told["FIREBASE_PROJECT_ID"], int(told.get("RATE_LIMIT_PER_MINUTE", "100")), told["POD_NAME"], address)
    config = uvicorn.Config(
        twin,
        host=told["HOST"],
        port=int(told["PORT"]),
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=int(told.get("KEEP_ALIVE_S", "120")),
        timeout_graceful_shutdown=8,
    )
    gc.collect()
    gc.freeze()
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
