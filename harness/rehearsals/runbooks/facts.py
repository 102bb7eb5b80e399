"""The facts of pages that were typed: of their commands, and of what they brought about. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.base.message import gettext_noop
from harness.model.message import Message, Told, message
from harness.rehearsals.runbooks.types import Balanced, RestoredWalks, RunbookPage, RunbooksDetails, RunbooksPlan, Typed
from harness.rules.rule import Fact, FactsOf

#: Each fact, in a sentence.
PHRASES = {
    "commands.failed": gettext_noop("{of} commands were typed, and {seen} failed"),
    "commands.left": gettext_noop("the page was not typed to its end: {seen} of its commands are left"),
    "commands.silent": gettext_noop("commands that showed nothing: {seen}"),
    "deployments.listed": gettext_noop("`kubectl get all` listed {seen} deployments"),
    "autoscaler.elsewhere": gettext_noop(
        "{seen} exercises on the HPA, which is of a later phase, ran on the manifests of Phase 2"
    ),
    "balancer.status": gettext_noop("{address}: /health answers {seen}"),
    "walks.restored": gettext_noop("{walks} of {all} walks of the moment are there again"),
    "walks.of_the_moment": gettext_noop("there were {seen} walks at the moment"),
    "zone.known": gettext_noop("zones in which the API's pods are known to stand: {seen}"),
}
PHASE_2 = "learning.phase2"
_GET_ALL = "kubectl get all"
_UNASKED = (message("what it brought about was not looked at"),)
#: What it lists of a deployment that is there.
_LISTED = "deployment.apps/"
_AUTOSCALER = "get hpa"


def facts(plan: RunbooksPlan, details: RunbooksDetails) -> Iterator[Fact]:
    """Of every page that was begun; of a chapter with a claim of its own by the claim's last word."""
    for page in plan.parts:
        if page.name in details.typed:
            typed, lines = details.typed[page.name], details.lines.get(page.name)
            fact = FactsOf(PHRASES, page.name)
            yield from _of_page(fact, page, details)
            for chapter, claim in sorted(page.claims.items()):
                of = FactsOf(PHRASES, page.name, claim.rpartition(".")[2]) if chapter else fact
                its = [each for each in typed if chapter in ("", each.chapter)]
                yield from _commands(of, its, left=None if lines is None else lines - len(typed))
                if claim == PHASE_2:
                    others = [each for each in typed if each not in its and _AUTOSCALER in each.ran.command]
                    yield of("autoscaler.elsewhere", len(others), of=len(its))


def _commands(fact: FactsOf, typed: Sequence[Typed], left: int | None) -> Iterator[Fact]:
    bad = [each for each in typed if each.ran.status != 0]
    silent = [each for each in typed if not each.ran.answered]
    yield fact("commands.failed", len(bad), of=len(typed), besides=_said(bad))
    yield fact("commands.left", left)
    yield fact("commands.silent", len(silent), of=len(typed), besides=_said(silent))


def _of_page(fact: FactsOf, page: RunbookPage, details: RunbooksDetails) -> Iterator[Fact]:
    """What a page's rule may read beside its commands."""
    typed = details.typed[page.name]
    listed = [each.ran.output for each in typed if each.ran.command == _GET_ALL]
    yield fact("deployments.listed", sum(said.count(_LISTED) for said in listed))
    yield fact("zone.known", int(details.zone != ""))
    yield _balancer(fact, details.balanced)
    yield from _restored(fact, details.restored, of=len(typed))


def _balancer(fact: FactsOf, seen: Balanced | None) -> Fact:
    """The load balancer's address has to answer, too."""
    if seen is None:
        return fact("balancer.status", void=_UNASKED, address="–")
    none = () if seen.address else (message("the Service has no address"),)
    return fact("balancer.status", seen.status, besides=none, address=seen.address or "–")


def _restored(fact: FactsOf, seen: RestoredWalks | None, of: int) -> Iterator[Fact]:
    """Every walk of the moment has to be there again, too. The page shows that there is none behind it."""
    if seen is None:
        yield fact("walks.restored", of=of, void=_UNASKED, walks="–", all="–")
        return
    walks = "–" if seen.walks is None else str(seen.walks)
    there = seen.walks or 0
    yield fact("walks.restored", seen.walks, low=there, high=there, of=of, walks=walks, all=str(seen.of))
    yield fact("walks.of_the_moment", seen.of)


def _said(typed: Sequence[Typed]) -> Told:
    return tuple(map(_command, typed[:3]))


def _command(one: Typed) -> Message:
    return message(
        "{heading}: {command}: status {status}, {output}",
        heading=one.heading,
        command=one.ran.command,
        status=str(one.ran.status),
        output=one.ran.output.strip()[-200:],
    )
