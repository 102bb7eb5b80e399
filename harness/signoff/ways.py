"""Which command would show a claim. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.base.typed import PROGRAM
from harness.model.claim import Claim, ShownOn
from harness.model.stack import Rung
from harness.signoff.types import PROVING, RUNGS, State

#: What ``--on`` takes for an environment; what is read or computed asks for none.
_ON: Mapping[ShownOn, str] = {shown_on: rung for rung, shown_on in RUNGS.items() if shown_on is not ShownOn.ARITHMETIC}


def way(claim: Claim, state: State, lines: Sequence[str]) -> str:
    """The command line that would show the claim: of ``lines``, which make evidence and can be typed, the first that
    can, before others one with a word of the claim's name. "" where none can, where the document is to be corrected,
    and where nothing is left to show."""
    if state in (State.SHOWN, State.DOCUMENT_WRONG) or claim.shown_on not in PROVING:
        return ""
    on, named = _ON.get(claim.shown_on, ""), {*claim.id.split(".")[1:]}
    can = [line for line in lines if line.split()[0] in claim.state_from.commands]
    fits = [line for line in can if on in ("", line.partition("--on ")[2].partition(" ")[0] or Rung.LOCAL)]
    return next((f"{PROGRAM} {line}" for line in sorted(fits, key=lambda line: named.isdisjoint(line.split()))), "")


def firing(claim: Claim, lines: Sequence[str]) -> str:
    """The command line by which a rollback limit must fire: of its own week, with a fault of what it limits where
    there is one. "" where no line has a fault."""
    week = f"rollout_{claim.id.split('.')[1]} "
    faults = [line for line in lines if "--fault" in line and week in line]
    of_it = [line for line in faults if line.partition("--fault ")[2].partition("=")[0] in claim.id]
    return next((f"{PROGRAM} {line}" for line in (*of_it, *faults)), "")
