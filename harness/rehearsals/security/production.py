"""Users of an issuer that signs, and the bundled API that verifies them, for checks that know of neither."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from harness.checks.walk_tables import Stored
from harness.contract import http, people
from harness.contract.beside import Spare
from harness.contract.check import NotExercised
from harness.model.message import message
from harness.model.stack import Address, Endpoints
from harness.rehearsals.security.issuer import PROJECT, Issuer
from harness.stack.firebase.sign_up import Ended

LOG = "production.log"


class InProduction:
    """As ``harness.contract.reach.Reach``. What its database holds is read through the API alone."""

    connect = staticmethod(http.over_tcp)

    def __init__(self, service: Address, issuer: Issuer, of: Endpoints) -> None:
        self.endpoints = msgspec.structs.replace(of, service=service, project_id=PROJECT)
        self._issuer = issuer

    async def sign_up(self, uid: str) -> people.User:
        """By the issuer."""
        return self._issuer.user(uid)

    async def end_account(self, uid: str, how: Ended) -> None:
        """The issuer keeps no accounts."""
        raise _lacking(f"{how} {uid}")

    def seal(self, head: object, claims: object) -> str:
        """Signed."""
        return self._issuer.seal(head, claims)

    async def user_rows(self, uid: str) -> int:
        """Not read."""
        raise _lacking(uid)

    async def stored(self, walk_id: str) -> Stored:
        """Not read."""
        raise _lacking(walk_id)

    def spare(self, name: str) -> AbstractAsyncContextManager[Spare]:
        """None."""
        raise _lacking(name)

    async def put_photo(self, name: str, content: bytes, content_type: str) -> None:
        """No Storage."""
        raise _lacking(f"{name} ({content_type}, {len(content)} bytes)")

    async def has_photo(self, name: str) -> bool:
        """No Storage."""
        raise _lacking(name)


def _lacking(what: str) -> NotExercised:
    return NotExercised(message("in production mode nothing is read past the API: {what}", what=what), allowed=True)


@contextlib.asynccontextmanager
async def in_production(issuer: Issuer, of: Endpoints, folder: Path, seed: int) -> AsyncIterator[InProduction]:
    """The bundled API, led to ``issuer``. Its log lies in ``folder``."""
    from harness.stack.sim.production import production  # firebase-admin loads here

    await issuer.start()
    try:
        with (folder / LOG).open("ab", buffering=0) as log:

            def write(line: bytes) -> None:
                log.write(line)

            async with production(PROJECT, issuer.url, write, seed) as service:
                yield InProduction(service, issuer, of)
    finally:
        await issuer.stop()
