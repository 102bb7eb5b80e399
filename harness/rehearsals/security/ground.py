"""What the checks of security stand on, besides what any check of the contract does."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from harness.checks.contract.check import CheckFixture, ContractClient
from harness.checks.contract.http import HttpExchange
from harness.model.command import Ran
from harness.model.manifests import Manifests
from harness.model.message import Message
from harness.rehearsals.security.issuer import Issuer
from harness.rehearsals.security.privileges import Role

#: A token, wherever it stands.
TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{20,}")


class Canaries(msgspec.Struct, kw_only=True):
    """What is looked for where it must not be. ``planted`` are texts by what they stand for, ``unanswered`` says which
    of the requests that carried them the target did not answer; ``told`` are those of the run's ``answers``
    that tell of the target's inside, each with what it tells."""

    planted: dict[str, str] = {}
    unanswered: Message | None = None
    answers: int = 0
    told: list[tuple[str, HttpExchange]] = []


class SecurityGround(CheckFixture, frozen=True, kw_only=True):
    """``issuer`` signs where signatures are verified, ``None`` against the emulator. ``pods`` share the requests.
    ``folder`` is the run's, ``facts`` what will be written of it besides. ``role`` reads the target's role in
    PostgreSQL, ``kubectl`` asks the API server, ``images`` looks into the pods' images and tells what is wrong;
    ``None`` where there is none.
    """

    canaries: Canaries
    folder: Path
    manifests: Manifests | None = None
    issuer: Issuer | None = None
    pods: int = 1
    facts: Callable[[], bytes] = lambda: b""
    role: Callable[[], Awaitable[Role]] | None = None
    kubectl: Callable[..., Awaitable[Ran]] | None = None
    images: Callable[[], Awaitable[list[str]]] | None = None


def of(bench: ContractClient) -> SecurityGround:
    """The ground of ``bench``."""
    assert isinstance(bench.ground, SecurityGround)
    return bench.ground
