"""A restored PostgreSQL as a container, where the stack's own is one: the same image on the restored data folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from harness.rehearsals.dr_restore.restore import Serve
from harness.rehearsals.dr_restore.server import Server, words
from harness.stack.kind import docker, orphans
from harness.stack.kind.ground import KindDatabase
from harness.stack.kubernetes import labels
from harness.stack.local import postgres_template
from harness.stack.local.site import Site
from harness.stack.process.processes import Spec
from harness.stack.protocol import Stack
from harness.stack.target import variables as environment

_PORT = 5432
_REMOVE_LIMIT_S = 60.0


class ContainedServer(Server):
    """Published on a loopback port. ``Database.register`` of kind finds it by that, and leads pods to it.

    The site's folder is mounted under its own name, for ``restore_command`` reads the archive there; the server runs as
    the account that owns the data.
    """

    def __init__(self, site: Site, name: str, data: Path, password: str, image: str) -> None:
        super().__init__(site, name, data, password)
        self._image = image
        self._container = labels.container(site.state.lease.run_id, name)

    def _spec(self, settings: Mapping[str, str]) -> Spec:
        owner = postgres_template.account()
        user = f"{owner.uid}:{owner.gid}" if owner else f"{os.getuid()}:{os.getgid()}"
        settings = {**settings, "listen_addresses": "*"}
        command = (
            *("docker", "run", "--rm", "--name", self._container, "--pull", "never"),
            *labels.arguments(self.site.state.lease),
            *("--publish", f"{self.address}:{_PORT}", "--shm-size", "128mb", "--user", user),
            *("--volume", f"{self.site.folder}:{self.site.folder}", "--entrypoint", "postgres", self._image),
            *("-D", str(self.data), "-p", str(_PORT), *words(settings)),
        )
        return Spec(
            part=self.name,
            command=command,
            environment={**environment.machine(), **environment.package_settings()},
            log=self.log,
            folder=self.site.folder,
        )

    async def stop(self) -> None:
        """Fast shutdown; then whatever is left of the container goes."""
        await super().stop()
        await self._removed()

    async def kill(self) -> None:
        """SIGKILL."""
        await self._removed()
        await super().kill()

    async def _removed(self) -> None:
        await docker.remove([self._container], what=f"removing {self.name}", limit_s=_REMOVE_LIMIT_S)


class Containers:
    """The restored instances of a run; each is removed by its own ``stop``, and Docker is asked what it still has."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._left: list[str] = []

    async def down(self) -> None:
        """Nothing is left to do but to look."""
        self._left = await orphans.leaks(self._run_id, None, own=False)

    def leaks(self) -> list[str]:
        """What Docker still has; valid after ``down``."""
        return self._left


def contained(stack: Stack) -> Serve:
    """Restored instances are containers of the image of the stack's own PostgreSQL, which is up."""
    database = stack.database()
    assert isinstance(database, KindDatabase)
    image = database.image
    return lambda site, name, data, password: ContainedServer(site, name, data, password, image)
