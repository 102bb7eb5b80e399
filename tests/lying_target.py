"""A target that is wrong on purpose: the bundled API, which lies to users as ``TEST_LIE`` says and answers probes well.

``first_only`` answers each user's first request and no other; ``slow`` takes 3 s for each; ``no_mirror`` writes nothing
to Firestore; ``errors`` fails 3 of 25 requests, users' and probes' alike. ``told`` and ``errors`` log each request. Started by the environment contract, as any other.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from api import firestore_mirror, postgres, serve
from api.settings import read_settings

LIE = os.environ["TEST_LIE"]
ASKED = ("list_walks", "create_walk", "get_walk", "put_walk", "delete_walk")


def lying(name: str) -> Callable[..., Any]:
    """The method of that name, for users other than canaries."""
    real = getattr(postgres.PostgresDatabase, name)

    async def lies(self: Any, user: Any, *arguments: Any) -> Any:
        self.asked += 1
        if LIE == "errors" and self.asked % 25 in (8, 16, 24):
            raise RuntimeError("planted")
        if not user.uid.startswith("canary"):
            if LIE == "slow":
                await asyncio.sleep(3)
            self.seen.add(user.uid) if user.uid not in self.seen else fail()
        return await real(self, user, *arguments)

    return lies


def fail() -> None:
    if LIE == "first_only":
        raise RuntimeError("planted")


class Lying(postgres.PostgresDatabase):
    """Knows which users it has answered."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: set[str] = set()
        self.asked = 0


async def nothing(*_: Any) -> None:
    """Writes no document."""


def main() -> int:
    named: Any = serve
    named.PostgresDatabase = Lying
    if LIE == "no_mirror":
        mirror: Any = firestore_mirror.FirestoreMirror
        mirror.write = nothing
    else:
        for name in ASKED:
            setattr(Lying, name, lying(name))
    if LIE in ("told", "errors"):
        os.environ["LOG_LEVEL"] = "debug"
    return serve.serve(read_settings(os.environ))


if __name__ == "__main__":
    sys.exit(main())
