"""A page holds when every command of it was typed, ended in 0 and showed something, and fails by one that ended in
another status. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from harness.judge.claimed import held, left_open, shown_as, unknown
from harness.model.judgement import Judgement
from harness.model.message import Message, message
from harness.model.stack import Capability
from harness.model.verdict import Verdict
from harness.rehearsals.runbooks.types import Balanced, Ground, Page, Restored, RunbooksDetails, RunbooksPlan, Typed

CONFIRM, PHASE_2 = "operations.confirm", "learning.phase2"
_GET_ALL = "kubectl get all"
_UNASKED = message("what it brought about was not looked at")
#: What it lists of a deployment that is there.
_LISTED = "deployment.apps/"
_AUTOSCALER = "get hpa"
_OK = 200


def judged(plan: RunbooksPlan, details: RunbooksDetails) -> Iterator[Judgement]:
    """Every claim of the pages that were begun."""
    for page in plan.parts:
        if page.name in details.typed:
            typed = details.typed[page.name]
            for chapter, claim in page.claims.items():
                of = [each for each in typed if chapter in ("", each.chapter)]
                found = _page(page, claim, of, whole=len(typed) == details.lines.get(page.name), all_=typed)
                silent = [_said(each) for each in of if not each.ran.answered]
                if found.verdict.good and silent:
                    found = unknown(page.name, claim, *silent[:3], samples=len(of))
                if found.verdict is Verdict.PASS and page.ground is Ground.BALANCED:
                    found = _answered(found, details.balanced)
                if found.verdict is Verdict.PASS and page.ground is Ground.DATABASE:
                    found = _whole(found, details.restored)
                if found.verdict is not Verdict.FAIL and Capability.ZONES in page.needs and not details.zone:
                    found = unknown(page.name, claim, message("in which zone the API's pods stand is not known"))
                yield found


def _page(page: Page, claim: str, typed: Sequence[Typed], *, whole: bool, all_: Sequence[Typed]) -> Judgement:
    bad = [each for each in typed if each.ran.status != 0]
    told = message("{count} commands were typed", count=str(len(typed)))
    cut = () if whole else (message("the page was not typed to its end"),)
    if bad:
        return held(page.name, claim, False, told, *(_said(each) for each in bad[:3]), *cut, samples=len(typed))
    if not typed or not whole:
        return unknown(page.name, claim, told, *cut, samples=len(typed))
    each = message("each ended in 0")
    if claim == CONFIRM and _LISTED not in _listed(typed):
        return unknown(page.name, claim, told, message("{command} listed nothing", command=_GET_ALL))
    if claim == PHASE_2 and any(_AUTOSCALER in one.ran.command for one in all_ if one not in typed):
        why = message("the exercise on the HPA is of a later phase, and ran on the manifests of Phase 2")
        shown = "learning.phase2_lacks_hpa_and_probes"
        return shown_as(page.name, shown, told, each, why, claim=claim, samples=len(typed))
    return held(page.name, claim, True, told, each, samples=len(typed))


def _answered(found: Judgement, seen: Balanced | None) -> Judgement:
    """The page is kept where the load balancer's address answers, too."""
    if seen is None:
        return left_open(found, _UNASKED)
    why = message("the Service has no address")
    if seen.address:
        why = message("{address}: /health answers {status}", address=seen.address, status=str(seen.status))
    verdict = Verdict.PASS if seen.status == _OK else Verdict.FAIL
    return msgspec.structs.replace(found, verdict=verdict, told=(*found.told, why))


def _whole(found: Judgement, seen: Restored | None) -> Judgement:
    """The page is kept where every walk of the moment is there again, too. It shows that there is none behind it."""
    if seen is None:
        return left_open(found, _UNASKED)
    walks = "–" if seen.walks is None else str(seen.walks)
    why = message("{walks} of {all} walks of the moment are there again", walks=walks, all=str(seen.of))
    verdict = Verdict.PASS if seen.walks == seen.of else Verdict.FAIL
    return msgspec.structs.replace(found, verdict=verdict, told=(*found.told, why))


def _said(one: Typed) -> Message:
    return message(
        "{heading}: {command}: status {status}, {output}",
        heading=one.heading,
        command=one.ran.command,
        status=str(one.ran.status),
        output=one.ran.output.strip()[-200:],
    )


def _listed(typed: Sequence[Typed]) -> str:
    """What ``get all`` said, "" where it was not typed."""
    return " ".join(each.ran.output for each in typed if each.ran.command == _GET_ALL)
