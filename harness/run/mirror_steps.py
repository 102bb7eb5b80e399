"""The acts of a stepwise stop of the mirror."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.checks.mirror_facts import loss
from harness.checks.mirror_left import left
from harness.checks.stores import DocumentsRead
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.mirror import SHARE_VARIABLE, MirrorStep
from harness.run.context import RunContext
from harness.stack.manifests.change import with_env


def at_share(manifests: Manifests, share_percent: int) -> Manifests:
    """The manifests with that share mirrored, by the bundled API's own setting."""
    return with_env(manifests, **{SHARE_VARIABLE: str(share_percent)})


class MirrorSteps:
    """The steps of a run under load, in order; ``settle_s`` and ``counts`` as ``left`` takes them."""

    def __init__(
        self, on: RunContext[Any], documents: DocumentsRead, *, settle_s: float, counts: Callable[[str, str], bool]
    ) -> None:
        self._on = on
        self._documents = documents
        self._settle_s = settle_s
        self._counts = counts

    async def to(self, share_percent: int, manifests: Manifests, step_s: float) -> MirrorStep:
        """``manifests`` applied, which have that share; ``step_s`` of load; what it left. Raises ``PartDied``."""
        on = self._on
        await on.stack.apply(manifests)
        said = message("the mirror at {share} %", share=str(share_percent))
        on.phase(f"share {share_percent}", said, lasts_s=step_s + self._settle_s)
        since_ns = on.clock.now_ns()
        await on.clock.sleep(step_s)
        return await self.left(share_percent, since_ns)

    async def left(self, share_percent: int, since_ns: int) -> MirrorStep:
        """What the share has left that stands since ``since_ns``. Raises ``PartDied``."""
        on, documents = self._on, self._documents
        step = await left(
            on.stack.endpoints(), documents, on.evidence, on.clock,
            share_percent=share_percent, since_ns=since_ns, settle_s=self._settle_s, counts=self._counts,
        )  # fmt: skip
        on.mark(f"share_{share_percent}")
        on.say(loss(step))
        return step
