"""``python -m api [serve|migrate|openapi]``; everything else comes from the environment (``api.settings``)."""

from __future__ import annotations

import asyncio
import os
import sys

from api.settings import SettingsError, database_settings, read_settings

USAGE = "usage: python -m api [serve|migrate|openapi]\n"


def main(arguments: list[str]) -> int:
    """Runs the command; 2 for wrong usage or a bad environment, 1 when it failed."""
    command = arguments[0] if arguments else "serve"
    if len(arguments) > 1 or command not in ("serve", "migrate", "openapi"):
        sys.stderr.write(USAGE)
        return 2
    try:
        if command == "serve":
            return _serve()
        return _migrate() if command == "migrate" else _openapi()
    except SettingsError as error:
        sys.stderr.write(f"The environment is not usable:\n{error}\n")
        return 2


def _serve() -> int:
    settings = read_settings(os.environ)
    from api.serve import serve

    return serve(settings)


def _migrate() -> int:
    settings = database_settings(os.environ)
    from api.migrate import MigrationError, migrate

    try:
        applied = asyncio.run(migrate(settings))
    except MigrationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"applied {name}\n" for name in applied) or "nothing to apply\n")
    return 0


def _openapi() -> int:
    from api import openapi

    sys.stdout.write(openapi.text())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
