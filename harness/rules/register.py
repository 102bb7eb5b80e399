"""The register of claims: every promise of a document, as data. A folder is a document, and each file of it a chapter.

A test holds the bundled one (``scenarios/claims``) to its document where that is at hand, and everywhere to the
committed index: no table row, code block, list or checklist item is left without a claim.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from harness.base import planfile, yamltext
from harness.base.data import CLAIMS
from harness.base.errors import BadInput
from harness.base.message import gettext_noop, message, nearest
from harness.base.planfile import RuleError
from harness.base.units import OneOf
from harness.model.claim import Claim, Erratum


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the register: a chapter of the document, and its claims in the document's order."""

    chapter: Annotated[str, msgspec.Meta(examples=["Stepwise rollout"])]
    claims: tuple[Claim, ...]


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """A document's claims by chapter and by id, in its order; and its errata by id, each with the claim that has it."""

    chapters: Mapping[str, tuple[Claim, ...]]
    claims: Mapping[str, Claim]
    errata: Mapping[str, tuple[Claim, Erratum]]


@functools.cache
def read(folder: Path) -> Register:
    """The register in ``folder``, read once. Raises ``BadInput`` with file, line and remedy."""
    files = {path: planfile.load(path, Chapter) for path in sorted(folder.glob("*.yaml"))}
    if not files:
        told = message("there are no claims in {folder}", folder=str(folder))
        raise BadInput(told, where=str(folder), remedy="name a folder with a .yaml file for each chapter")
    claims = {claim.id: claim for chapter in files.values() for claim in chapter.claims}
    taken: dict[str, Path] = {}
    for path, chapter in files.items():
        try:
            _fits(chapter, claims, taken, path)
        except RuleError as error:
            raise _at_its_line(path, error) from error
    return Register(
        chapters={each.chapter: each.claims for each in files.values()},
        claims=claims,
        errata={erratum.id: (claim, erratum) for claim in claims.values() for erratum in claim.errata},
    )


def bundled() -> Register:
    """That of the document whose rehearsals are bundled."""
    return read(CLAIMS)


def _fits(chapter: Chapter, claims: Mapping[str, Claim], taken: dict[str, Path], path: Path) -> None:
    """Raises ``RuleError`` for an id that stands twice in the register, and for a claim that is read and not there."""
    for index, claim in enumerate(chapter.claims):
        at = ("claims", index)
        ids = [(claim.id, at), *((each.id, (*at, "errata", n)) for n, each in enumerate(claim.errata))]
        for id_, where in ids:
            if id_ in taken:
                what = message("id {id} stands in {file} already", id=repr(id_), file=str(taken[id_]))
                raise RuleError(what, *where, "id", remedy="give each claim and erratum its own id")
            taken[id_] = path
        for n, named in enumerate(claim.person_reads):
            if named not in claims or named == claim.id:
                what = message("unknown claim {claim}{near}", claim=repr(named), near=nearest(named, [*claims]))
                raise RuleError(what, *at, "person_reads", n, remedy="name another claim of the register")


def _at_its_line(path: Path, error: RuleError) -> BadInput:
    text = yamltext.read(path)
    _, lines = planfile.mapping(text, str(path), "")
    return BadInput(error.args[0], where=yamltext.place(str(path), lines, error.keys), remedy=error.remedy)


def _known(*of: Callable[[Register], Mapping[str, object]]) -> Callable[[], list[str]]:
    """The ids that the bundled register has when it is asked: a type that names one loads none."""
    return lambda: [id_ for each in of for id_ in each(bundled())]


#: How a plan names them: read by ``harness.base.planfile``, which refuses an id that is not in the register.
ClaimId = Annotated[str, OneOf(what="claim", known=_known(lambda it: it.claims), where="scenarios/claims")]
ErratumId = Annotated[str, OneOf(what="erratum", known=_known(lambda it: it.errata), where="scenarios/claims")]
ClaimOrErratumId = Annotated[
    str,
    OneOf(
        what=gettext_noop("claim or erratum"),
        known=_known(lambda it: it.claims, lambda it: it.errata),
        where="scenarios/claims",
    ),
]
