"""What a run of the deploy rehearsal does: stack up -> images -> users and probes -> parts -> checks."""

from __future__ import annotations

from pathlib import Path

from harness.base.errors import NotCapable
from harness.load.users import Users, users_of
from harness.model.manifests import Manifests
from harness.model.message import message, of_error
from harness.rehearsal.closing import check_whole_run
from harness.rehearsal.options import Options
from harness.rehearsal.running import Running
from harness.rehearsals.deploy.parts import Parts
from harness.rehearsals.deploy.types import DeployDetails, DeployPart, DeployPlan
from harness.stack.manifests.change import without_autoscaler
from harness.stack.rungs import graceful_beside, manifests_of


def folder_of(part: DeployPart, options: Options) -> Path:
    """The overlay with the component ``graceful`` stands beside the plain one; a user's own folder stands alone."""
    return graceful_beside(options.manifests) if part.graceful else options.manifests


def manifests_for(part: DeployPart, options: Options) -> Manifests:
    """Without the autoscaler: what changes the number of pods is the deploy alone. Raises ``BadInput``."""
    found = manifests_of(options, folder_of(part, options))
    return without_autoscaler(found, found.deployment.replicas)


class Deploys:
    """The parts of a run, on a stack that is not yet up."""

    def __init__(self, plan: DeployPlan, on: Running[DeployDetails]) -> None:
        self._plan = plan
        self._on = on
        self._applied = folder_of(plan.parts[0], on.options)
        self._manifests = manifests_for(plan.parts[0], on.options)
        self._users = Users(on, users_of(plan.scenario, on.options.seed))

    async def run(self) -> None:
        """The steps in order; each may raise."""
        on = self._on
        on.say(message("manifests: {folder}", folder=self._applied.name))
        await on.up()
        images = await self._images()
        on.details.versions = tuple(images)
        on.details.origin_ns = await self._users.begin()
        on.mark("admitted")
        parts = Parts(on, self._plan, self._users, images)
        for part in self._plan.parts:
            if part.version.name in images:
                await self._follow(part)
                await parts.run(part, self._applied.name, self._manifests.deployment)
                on.mark(part.name)
        sent_ns = await self._users.end()
        await check_whole_run(on, self._plan.scenario, self._manifests, sent_ns=sent_ns)

    async def _images(self) -> dict[str, str]:
        """By version, before the load begins: building takes the CPU that users need. Without what cannot be made."""
        on = self._on
        on.say(message("making the images of the versions"))
        versions = [part.version for part in self._plan.parts]
        try:
            images = await on.stack.build(*versions)
        except NotCapable as error:
            on.say(of_error(error))
            versions = [version for version in versions if not version.wrapped]
            images = await on.stack.build(*versions)
        return {version.name: image for version, image in zip(versions, images, strict=True)}

    async def _follow(self, part: DeployPart) -> None:
        wanted = folder_of(part, self._on.options)
        if wanted != self._applied:
            self._on.say(message("applying {folder}", folder=wanted.name))
            self._applied, self._manifests = wanted, manifests_for(part, self._on.options)
            await self._on.stack.apply(self._manifests)
