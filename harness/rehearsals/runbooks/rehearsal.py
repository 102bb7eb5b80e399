"""The runbooks typed: each page's commands in order, until one fails, on what the run has of its own for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.base.clock import NS, Clock
from harness.base.data import ROOT
from harness.base.errors import NotCapable
from harness.model.command import Ran
from harness.model.manifests import Manifests
from harness.model.message import message, raw_text
from harness.model.parts import listed, nth
from harness.model.result import Part
from harness.model.section import Block, Blocks, Section
from harness.model.stack import Capability
from harness.model.verdict import Verdict
from harness.rehearsals.runbooks import actions, balancer
from harness.rehearsals.runbooks.actions import TypedCommand, commands, scripts
from harness.rehearsals.runbooks.facts import PHRASES, facts
from harness.rehearsals.runbooks.types import (
    RestoredWalks,
    RunbookPage,
    RunbooksDetails,
    RunbooksPlan,
    RunbookTarget,
    Typed,
)
from harness.rules.fact import Fact
from harness.run.context import RunContext
from harness.run.options import Options
from harness.run.rehearsal import Rehearsal, RunRecord
from harness.stack.local.site import Site
from harness.stack.protocol import ByKubectl, StackNeeds

DOCS = ROOT / "docs"
#: What exercises apply: a copy lies at hand under its own name.
EXERCISES = DOCS / "exercises"
_NODES = ("get", "nodes", "-o", "jsonpath={range .items[*]}{.metadata.name}={.metadata.labels.topology\\.kubernetes\\.io/zone} {end}")  # fmt: skip  # noqa: E501
_PODS = ("get", "pods", "-l", "app=tekutoko-api", "-o", "jsonpath={range .items[*]}{.spec.nodeName} {end}")


class Runbooks(Rehearsal[RunbooksPlan, RunbooksDetails]):
    """The rehearsal."""

    name = "runbooks"
    plan, details = RunbooksPlan, RunbooksDetails
    phrases = PHRASES

    def claims(self, plan: RunbooksPlan) -> Iterator[tuple[str, str]]:
        """Those of each page."""
        yield from ((page.name, claim) for page in plan.parts for claim in page.claims.values())

    def needs(self, plan: RunbooksPlan) -> Mapping[str, Iterable[Capability]]:
        """What each page names."""
        return {page.name: page.needs for page in plan.parts}

    def parts(self, plan: RunbooksPlan, seen: RunRecord[RunbooksDetails]) -> Sequence[Part]:
        """The pages."""
        typed = seen.details.typed.items()
        return listed(plan.parts, {page: sum(each.seconds for each in of) for page, of in typed})

    def stack_spec(self, plan: RunbooksPlan, options: Options, manifests: Manifests) -> StackNeeds:
        """A cluster that nobody else is on: nodes are drained."""
        _ = plan, options
        return StackNeeds(manifests=manifests, use_kept=False)

    async def run(self, plan: RunbooksPlan, on: RunContext[RunbooksDetails]) -> None:
        """The pages that the environment can have."""
        pages = [page for page in plan.parts if not self.missing_capabilities(plan, on.stack.capabilities, page.name)]
        if any(page.ground is not RunbookTarget.DATABASE for page in pages):
            await on.up()
        for page in pages:
            on.phase(page.name, nth(pages, page))
            await (_run_scripts if page.ground is RunbookTarget.DATABASE else _type)(plan, page, on)
            on.mark(page.name)

    def measured(self, plan: RunbooksPlan, seen: RunRecord[RunbooksDetails]) -> Iterable[Fact]:
        """From the details alone."""
        return facts(plan, seen.details)

    def sections(self, plan: RunbooksPlan, seen: RunRecord[RunbooksDetails]) -> Iterable[Section]:
        """What each command said."""
        _ = plan
        for name, typed in seen.details.typed.items():
            yield Blocks(
                title=message("What was typed"),
                blocks=tuple(
                    Block(
                        caption=each.ran.command,
                        text=each.ran.output[-2000:],
                        verdict=Verdict.FAIL if each.ran.status else _SHOWN[each.ran.answered],
                    )
                    for each in typed
                ),
                part=name,
            )


async def _type(plan: RunbooksPlan, page: RunbookPage, on: RunContext[RunbooksDetails]) -> None:
    stack = on.stack
    if not isinstance(stack, ByKubectl):
        raise NotCapable("this environment has no kubectl", remedy="use --on kind")
    if page.ground is RunbookTarget.BALANCED:
        await balancer.give_address(stack, plan.limit_s)
    zone = await _zone(stack) if Capability.NODES in page.needs else ""
    if zone:
        on.details.zone = zone

        async def uncordon() -> None:
            await stack.kubectl("uncordon", "-l", f"topology.kubernetes.io/zone={zone}", limit_s=plan.limit_s)

        on.add_finalizer(uncordon)
    lines = [*commands((DOCS / page.page).read_text("utf-8"), {"ZONE": zone})]
    on.details.lines[page.name] = len(lines)
    typed = on.details.typed.setdefault(page.name, [])
    for line in lines if zone or Capability.ZONES not in page.needs else ():
        on.say(raw_text(f"kubectl {' '.join(line.words)}"))
        begun_ns = on.clock.now_ns()
        ran = await stack.kubectl(*line.words, limit_s=plan.limit_s, folder=EXERCISES)
        typed.append(_typed(line, ran, begun_ns, on.clock))
        if ran.status != 0:
            return
    if page.ground is RunbookTarget.BALANCED:
        on.details.balanced = await balancer.asked(stack, plan.limit_s)


async def _run_scripts(plan: RunbooksPlan, page: RunbookPage, on: RunContext[RunbooksDetails]) -> None:
    site = Site.begin(f"{on.run_id}-{page.name}", on.folder / "logs", on.clock)
    on.register_cleanup(site)
    await site.provide(on.progress)
    variables = actions.variables_in(site)

    async def stop() -> None:
        await actions.stop(site, variables, plan.limit_s)

    on.add_finalizer(stop)
    variables["MOMENT"] = await actions.damaged(site, variables, plan.limit_s)
    blocks = [*scripts((DOCS / page.page).read_text("utf-8"))]
    on.details.lines[page.name] = len(blocks)
    typed = on.details.typed.setdefault(page.name, [])
    for block in blocks:
        on.say(raw_text(block.heading))
        begun_ns = on.clock.now_ns()
        ran = await actions.run_script(site, block.words[0], variables, plan.limit_s)
        typed.append(_typed(block, ran, begun_ns, on.clock))
        if ran.status != 0:
            return
    walks = await actions.walks_again(site, variables, plan.limit_s)
    on.details.restored = RestoredWalks(walks=walks, of=actions.WALKS)


def _typed(line: TypedCommand, ran: Ran, begun_ns: int, clock: Clock) -> Typed:
    seconds = (clock.now_ns() - begun_ns) / NS
    return Typed(chapter=line.chapter, heading=line.heading, ran=ran, seconds=seconds)


async def _zone(stack: ByKubectl) -> str:
    """The zone with the most of the API's pods, "" where that is not known."""
    zones, pods = await stack.kubectl(*_NODES), await stack.kubectl(*_PODS)
    nodes = dict(each.split("=", 1) for each in zones.output.split()) if zones.status == pods.status == 0 else {}
    return next((zone for zone, _ in Counter(nodes.get(node, "") for node in pods.output.split()).most_common(1)), "")


_SHOWN = {True: Verdict.PASS, False: Verdict.INCONCLUSIVE}
REHEARSAL = Runbooks()
