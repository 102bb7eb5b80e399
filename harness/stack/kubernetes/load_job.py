"""The Job whose pods make the load: made, awaited, and its pods told by their index."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harness.base.clock import Clock, polling
from harness.base.errors import StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.message import message
from harness.model.scenario import MOST_DURATION_S
from harness.model.stack import LOAD_TO, Address
from harness.stack.kubernetes import labels
from harness.stack.kubernetes.api_server import ApiServer, Json
from harness.stack.kubernetes.watching import read

NAME, PORT = "rehearsal-load", 9000
_LISTENS = "/tmp/listens"  # noqa: S108 - a file of the pod, once it does
RUNNING_LIMIT_S = 180.0  # the image may have to be pulled
_INDEX = "batch.kubernetes.io/job-completion-index"  # an annotation of each pod
_POLL_S = 0.25
#: Beyond the longest load: of a harness that never came.
_SLACK_S = 600.0


def document(image: str, pull: str, own: Mapping[str, Address], workers: int) -> Json:
    """The Job. ``own`` is all that its pods may send load to: the run's own Service, and the parts beside it. A pod
    that is lost is not made anew, for its load would not be the plan's any more."""
    marks = {labels.MANAGED: labels.MANAGER, labels.PART: NAME}
    container = {
        "name": "load",
        "image": image,
        "imagePullPolicy": pull,
        "args": [str(PORT), _LISTENS],
        "env": [{"name": LOAD_TO, "value": msgspec.json.encode(own).decode()}],
        "startupProbe": {"exec": {"command": ["test", "-e", _LISTENS]}, "periodSeconds": 1, "failureThreshold": 180},
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    user = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532}
    pod = {
        "containers": [container],
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {**user, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    spec = {
        "completionMode": "Indexed",
        **dict.fromkeys(("completions", "parallelism"), workers),
        "backoffLimit": 0,
        "activeDeadlineSeconds": round(MOST_DURATION_S + _SLACK_S),
        "template": {"metadata": {"labels": marks}, "spec": pod},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": NAME, "labels": marks}, "spec": spec}


async def start(api: ApiServer, namespace: str, job: Json, clock: Clock) -> tuple[str, ...]:
    """Makes the Job and returns the names of its pods, by index, once all run. Raises ``StackNotStarted``."""
    await api.post(f"/apis/batch/v1/namespaces/{namespace}/jobs", job)
    again, workers = polling(clock, limit_s=RUNNING_LIMIT_S, every_s=_POLL_S), job["spec"]["completions"]
    while True:
        listed = await api.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"job-name={NAME}")
        pods = {int(each["metadata"]["annotations"][_INDEX]): read(each) for each in listed["items"]}
        if len(pods) == workers and all(pod.ready for pod in pods.values()):
            return tuple(pods[index].name for index in range(workers))
        if any(pod.stuck for pod in pods.values()) or not await again():
            image = job["spec"]["template"]["spec"]["containers"][0]["image"]
            raise StackNotStarted(
                message("the pods of the load do not run: {why}", why="; ".join(pod.trouble for pod in pods.values())),
                where=message("{namespace}: Job/{name}", namespace=namespace, name=NAME),
                remedy=message(
                    "the nodes need the image {image}: `{program} images load` with --push or --load brings it",
                    image=image, program=PROGRAM,
                ),
            )  # fmt: skip
