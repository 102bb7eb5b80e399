"""What tells whose data a text holds: the users' own names, and a mark in whatever each of them writes. Pure.

A mark is drawn from the seed and means nothing to a target. Only those of the same population count: what an earlier
one left in the stores is not another user's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import TypeVar

import msgspec

from harness.base.seed import stream
from harness.load.population.lifelike import names
from harness.model.scenario import PopulationPlan, ProbePlan

T = TypeVar("T", bound=msgspec.Struct)
EXCERPT_BYTES = 120  # of a wrong answer
_OWNER = re.compile(rb'"user_id"\s*:\s*"([^"]+)"')
_NAMES = (re.compile(rb"u\d{4,}"), re.compile(rb"canary\d{2,}"))  # apart: each is found by its first letters alone
#: How JSON and URLs write a character: by its number, or (group 2) behind a backslash.
_ESCAPED = (re.compile(rb"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL), re.compile(rb"%([0-9a-fA-F]{2})()"))
#: Beside a name, what makes it a part of something longer; a backslash, of a character that JSON within JSON escapes.
_WITHIN = re.compile(rb"[0-9A-Za-z\\]")
_MARKED = re.compile(r" mark-[0-9a-f]{8}-[0-9a-f]{10}$")
_OWN = rb"[0-9a-f]{10}"


@lru_cache(maxsize=8)
def _family(seed: int) -> str:
    return f"mark-{stream(seed, 'marks').getrandbits(32):08x}-"


@lru_cache(maxsize=2048)
def mark(seed: int, user: str) -> str:
    """What ``user``'s walks have in their titles and descriptions, of 24 characters."""
    return f"{_family(seed)}{stream(seed, f'mark:{user}').getrandbits(40):010x}"


def unmarked(body: T) -> T:
    """The content of a write as populations had it before there were marks: their runs are still judged."""
    texts = {name: _MARKED.sub("", getattr(body, name)) for name in ("title", "description") if hasattr(body, name)}
    return msgspec.structs.replace(body, **texts)


class Population(msgspec.Struct, frozen=True):
    """The users ``u0001`` to that of number ``users``, and the canaries, with the marks of ``seed``. ``canaries``: how
    many of them are named as users are, all of whom then have the names of ``lifelike``."""

    seed: int
    users: int
    canaries: int = 0

    def of_another(self, text: bytes, user: str) -> bytes:
        """An excerpt of ``text`` where it tells of somebody who is not ``user``; b"" where it does not."""
        for escaped in _ESCAPED:
            text = escaped.sub(_character, text)
        at = next(self._others(text, user), None)
        if at is None:
            return b""
        start = 0 if at < EXCERPT_BYTES else at - EXCERPT_BYTES // 2
        return text[start : start + EXCERPT_BYTES]

    def _others(self, text: bytes, user: str) -> Iterator[int]:
        own = user.encode()
        yield from (found.start() for found in _OWNER.finditer(text) if found[1] != own)
        marks = re.finditer(_family(self.seed).encode() + _OWN, text)
        yield from (found.start() for found in marks if found[0] != mark(self.seed, user).encode())
        for found in chain.from_iterable(each.finditer(text) for each in _NAMES):
            name, around = found[0], text[found.start() - 1 : found.start()] + text[found.end() : found.end() + 1]
            if name != own and self._knows(name) and not _WITHIN.search(around):
                yield found.start()

    def _knows(self, name: bytes) -> bool:
        if self.canaries:
            return name in names(self.seed, self.users, self.canaries)
        return name[:1] == b"c" or (0 < int(name[1:]) <= self.users and name == b"u%04d" % int(name[1:]))


def population_of(plan: PopulationPlan, probes: ProbePlan, seed: int) -> Population:
    """The users and canaries of a load."""
    return Population(seed, plan.users, probes.canary_users if plan.lifelike and probes.lifelike else 0)


#: Where only an owner's name tells whose a walk is.
NOBODY = Population(seed=0, users=0)


def _character(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return chr(int(found[1], 16)).encode(errors="replace")
    return found[2] if found[2] in b'"\\/' else b" "
