"""What starting a folder of another team shows, whatever the cluster: its pods are ready and one user is served."""

from __future__ import annotations

import msgspec

from harness.base.clock import Clock
from harness.base.progress import Progress
from harness.model.manifests import Manifests
from harness.model.message import ProgressCallback
from harness.stack.firebase import rest
from harness.stack.firebase.rest import sign_up
from harness.stack.manifests.change import without_autoscaler
from harness.stack.protocol import Stack


def small(manifests: Manifests) -> Manifests:
    """One pod that is asked at once: what is shown is that it starts. The documents are theirs in all else."""
    fixed = without_autoscaler(manifests, 1)
    for key, document in fixed.documents.items():
        if key == f"Deployment/{manifests.deployment.name}":
            probe = document["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
            probe |= {"initialDelaySeconds": 1, "periodSeconds": 1}
    return fixed


async def walk_through(stack: Stack) -> None:
    """Alive, and one walk of a user written and read through the Service."""
    ends = stack.endpoints()
    alive = await rest.request(ends.service, "GET", "/health", timeout_s=10)
    assert alive.status == 200, alive.body
    user = await sign_up(ends.auth, ends.project_id, "theirs-walker")
    known = {"Authorization": f"Bearer {user.token}", "Content-Type": "application/json"}
    body = msgspec.json.encode({"title": "Kamo"})
    made = await rest.request(ends.service, "POST", "/v1/walks", body=body, headers=known, timeout_s=10)
    assert made.status == 201, made.body
    walk = msgspec.json.decode(made.body)
    read = await rest.request(ends.service, "GET", f"/v1/walks/{walk['id']}", headers=known, timeout_s=10)
    assert read.status == 200 and msgspec.json.decode(read.body)["title"] == "Kamo"
    stranger = await rest.request(ends.service, "GET", f"/v1/walks/{walk['id']}", timeout_s=10)
    assert stranger.status == 401


def told(name: str, clock: Clock) -> ProgressCallback:
    """Progress that says whose it is: several start at once."""
    progress = Progress(clock)
    return lambda line: progress(f"{name}: {line}")


async def hindered(name: str, stack: Stack) -> str:
    """ "" when it started, answered and left nothing, else what hindered it."""
    try:
        await stack.up()
        await walk_through(stack)
    except Exception as error:
        print("HINDERED", name, type(error).__name__, error, flush=True)
        return f"{name}: {type(error).__name__}: {error}"
    finally:
        await stack.down()
    return "".join(f"{name}: {leak}" for leak in stack.leaks())
