"""What runs leave in Docker and in a kept cluster: swept when their owner is dead, looked for after a tear down."""

from __future__ import annotations

import json
import shutil

from harness.base.errors import StackNotStarted
from harness.model.message import ProgressCallback, message
from harness.stack.kind import cluster, docker, ingress, metrics_adapter, network, record, secrets_driver
from harness.stack.kind.images import building
from harness.stack.kubernetes import labels


async def sweep(progress: ProgressCallback, aside: ProgressCallback) -> None:
    """Removes containers, clusters and namespaces of runs of ours whose owner is dead. Raises ``StackNotStarted``.

    What other users of the engine have, in other containers or on other machines, is left, and named to ``aside``:
    whether they still live cannot be known here.
    """
    others = await cluster.of_others()
    for each in await docker.containers("listing containers", {"label": labels.OWNER}):
        whose = labels.owned(each.labels)
        if whose is labels.Owner.FOREIGN:
            others.append(each.name)
        elif whose is labels.Owner.DEAD:
            await docker.remove([each.id], what=f"removing {each.name}", limit_s=60)
            progress(message("removed container {name}", name=each.name))
    if others:
        aside(labels.left(others))
    await _sweep_builds(progress)
    await cluster.sweep(progress)
    for name in record.recorded():
        found_cluster = record.read(name)
        if found_cluster is not None and found_cluster.complete and await cluster.answers(found_cluster):
            await _sweep_namespaces(found_cluster, progress)
            for wide in (secrets_driver.WIDE, ingress.WIDE, metrics_adapter.WIDE):
                await wide.sweep(found_cluster, progress)


async def _sweep_builds(progress: ProgressCallback) -> None:
    """Removes interim containers and images of builds of ours whose process is gone."""
    for each in await docker.containers("listing interim containers", {"name": f"^/?{record.mark()}"}):
        if building.left_behind(each.name):
            await docker.remove([each.id], what=f"removing {each.name}", limit_s=60)
            progress(message("removed container {name}", name=each.name))
    for tag in await docker.tags(building.INTERIM):
        if building.left_behind(tag):
            image = f"{building.INTERIM}:{tag}"
            with docker.gone():
                await docker.ask(lambda client, image=image: client.api.remove_image(image), what=f"removing {image}")  # type: ignore[misc]
            progress(message("removed image {name}", name=image))


async def _sweep_namespaces(found: record.Cluster, progress: ProgressCallback) -> None:
    selector = f"--selector={labels.MANAGED}={labels.MANAGER}"
    what = "listing namespaces"
    listed = await network.kubectl(found.control_plane, "get", "namespaces", selector, "--output=json", what=what)
    for item in json.loads(listed)["items"]:
        name = item["metadata"]["name"]
        if labels.owned(item["metadata"].get("annotations", {})) is labels.Owner.DEAD:
            progress(message("removing namespace {name} of {cluster}", name=name, cluster=found.name))
            arguments = ("delete", "namespace", name, "--wait=false")
            await network.kubectl(found.control_plane, *arguments, what=f"removing namespace {name}")


async def leaks(run_id: str, used: record.Cluster | None, *, own: bool) -> list[str]:
    """What Docker and the cluster still have of the run; a look that fails is a line too."""
    if shutil.which("docker") is None:
        return []
    try:
        of_run = await docker.containers("looking for containers of the run", {"label": f"{labels.RUN}={run_id}"})
        left = [f"container {each.name}" for each in of_run]
        if used is not None and own:
            left += await cluster.leaks(used.name)
        elif used is not None:
            arguments = ("get", "namespaces", "--output=name")
            listed = await network.kubectl(used.control_plane, *arguments, what="looking for namespaces of the run")
            left += [name for name in listed.split() if name.startswith(f"namespace/{labels.namespace(run_id)}")]
    except StackNotStarted as error:
        return [f"could not look into Docker: {error.what}"]
    return [f"{thing} is left" for thing in left]
