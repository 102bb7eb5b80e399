"""Claims of a team's own document, as a YAML file that a scenario names (``claims_file``), strictly read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from harness.base import planfile, yamltext
from harness.base.message import message
from harness.base.planfile import RuleError
from harness.model.claim import ClaimName, OwnClaim, Statement
from harness.rules.register import bundled
from harness.run.scenarios.criteria import CriterionFile, criterion, kind_of


class ClaimFile(msgspec.Struct, frozen=True, kw_only=True):
    """A claim as its file has it. ``criterion`` is the claim as a criterion, in one line behind its kind: a scenario
    that names the claim judges it by that.
    """

    id: ClaimName
    statement: Statement
    section: Annotated[str, msgspec.Meta(examples=['"2.1 Availability"'])]
    criterion: Annotated[CriterionFile | None, msgspec.Meta(examples=["success availability > 99.5%"])] = None


class ClaimsFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of claims: those of one ``document``."""

    document: Annotated[str, msgspec.Meta(examples=['"Service levels of the walks"'])]
    claims: tuple[ClaimFile, ...]


class ClaimOfFile(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of a file, and the criterion that its file gives it."""

    claim: OwnClaim
    criterion: CriterionFile | None


def load(path: Path) -> dict[str, ClaimOfFile]:
    """The claims in ``path`` by id, in its order. Raises ``BadInput`` with file, line, key and an example."""
    return planfile.made(yamltext.read(path), str(path), ClaimsFile, _known)


def _known(file: ClaimsFile) -> dict[str, ClaimOfFile]:
    if not file.claims:
        raise RuleError("no claims: nothing would be promised", "claims")
    found: dict[str, ClaimOfFile] = {}
    for index, each in enumerate(file.claims):
        at = ("claims", index)
        if each.id in bundled().claims or each.id in bundled().errata:
            what = message("{id} is an id of the bundled document's already", id=repr(each.id))
            raise RuleError(what, *at, "id", remedy="give the claim an id of your own")
        if each.id in found:
            what = message("claim {id} is given twice", id=repr(each.id))
            raise RuleError(what, *at, "id", remedy="give each its own id")
        rule = each.criterion
        if rule is not None and rule.claim not in {"", each.id}:
            about = {"id": repr(each.id), "claim": repr(rule.claim)}
            what = message("the criterion of {id} is about another claim, {claim}", **about)
            raise RuleError(what, *at, "criterion", "claim", remedy="leave `claim` out")
        line = ""
        if rule is not None:
            word = kind_of(rule, None, (*at, "criterion"))
            made = criterion(rule, each.id, word, (*at, "criterion"))
            of = f"[{made.operation}]" if made.operation else ""
            of += f"[step={made.step_s:g}s]" if made.step_s is not None else ""
            line = f"{word} {made.metric}{of} {made.comparison} {rule.threshold}"
        claim = OwnClaim(
            id=each.id, statement=each.statement, document=file.document, section=each.section, criterion=line
        )
        found[each.id] = ClaimOfFile(claim=claim, criterion=rule)
    return found
