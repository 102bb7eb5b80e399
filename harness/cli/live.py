"""The options that say which live stack a tool is for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.base.errors import NOT_JSON, BadInput
from harness.base.typed import PROGRAM
from harness.model.message import message
from harness.model.stack import Endpoints
from harness.run.command import Command, option


@dataclass(frozen=True, kw_only=True)
class OnLiveStack(Command):
    """The stack."""

    endpoints: Path | None = option("JSON, as `stack up --json` prints it", Path, metavar="FILE")
    stack: str = option("a stack that is up (default: the only one)", default="", metavar="ID")
    beyond_this_machine: bool = option("allow stores on other hosts, and Firebase itself: untried", default=False)


class _Live(msgspec.Struct):
    endpoints: Endpoints


def live(endpoints: Path | None, stack: str) -> Endpoints:
    """Where the stack answers that the options say. Raises ``BadInput``."""
    if endpoints is not None and stack:
        raise BadInput("--endpoints and --stack both say which stack", remedy="leave one of them out")
    if endpoints is None:
        return _of_those_up(stack)
    try:
        return msgspec.json.decode(endpoints.read_bytes(), type=_Live).endpoints
    except (OSError, *NOT_JSON) as error:
        told = message("no endpoints can be read: {error}", error=getattr(error, "strerror", None) or str(error))
        remedy = message("{program} stack up --json prints them", program=PROGRAM)
        raise BadInput(told, where=str(endpoints), remedy=remedy) from error


def _of_those_up(stack: str) -> Endpoints:
    from harness.stack.environments.standing import up_now

    there = {facts.run_id: facts.endpoints for facts in up_now() if stack in ("", facts.run_id)}
    if len(there) != 1:
        asked = message("no running stack is called {name}", name=stack) if stack else message("no stack is running")
        told = message("several stacks are running: {names}", names=", ".join(there)) if there else asked
        begin = message("start one: {program} stack up --detach", program=PROGRAM)
        raise BadInput(told, where="--stack", remedy="name one of them" if there else begin)
    return next(iter(there.values()))
