"""Why a rung forces what it forces: one sentence each, as the report prints it beside the name of what was changed."""

from __future__ import annotations

TARGET_IMAGE = (
    "gcr.io is not reached from the rehearsal. The image is built here and loaded into the nodes, so it must never be "
    "pulled (with the tag latest Kubernetes would)."
)
GIVEN_IMAGE = "The target was named by hand, so its image takes the place of the one in the manifests."
SIDECAR_IMAGE = (
    "There is no Cloud SQL - the proxy's container is a TCP proxy on the same port of the pod, to the rehearsal's "
    "PostgreSQL outside. It keeps its name, its requests and the instance it names."
)
TARGET_PROCESS = (
    "No container runtime in this environment - the api container is a process of this machine running the target's "
    "command. Pods share one network, so the environment gives each its own PORT and DB_PORT in place of 8080 and 5432."
)
SIDECAR_PROCESS = (
    "There is no Cloud SQL - the cloud-sql-proxy container is a local TCP proxy to the rehearsal's PostgreSQL, one for "
    "each pod as in the document."
)
EMULATORS = (
    "Firebase is emulated outside the cluster; the environment contract names where. In production the variables are "
    "absent and the target asks Firebase itself."
)
OUTSIDE = (
    "PostgreSQL and the Firebase emulators are containers beside the cluster; their addresses are known when they run."
)
PROJECT = "Firebase projects named demo-... never reach a real service."
DATABASE = "The database is the rehearsal's own, with a user and a password of this run."
CONTRACT = "The environment contract names it, and the manifests do not."
ENVIRONMENT = (
    "Production mode and emulators exclude each other: a target in production refuses the emulators' unsigned tokens."
)
CREDENTIALS = "Against emulators there is no credentials file: the variable must be absent or empty."
IDENTITY = "There is no Google identity here, and nothing of the rehearsal may act under one."
NODE_PORT = (
    "No cloud gives the LoadBalancer an address. A NodePort is the same Service one layer in - kube-proxy spreads "
    "connections over the ready pods - and kind maps it to a port on 127.0.0.1."
)
CLUSTER_IP = (
    "A run on somebody's cluster reaches the Service from inside its own namespace, through a port-forward; a NodePort "
    "would be open on every node, a load balancer would be bought."
)
NAMESPACE = "Left out: each run has a namespace of its own, which is deleted after it."
OTHER_KIND = "Left out: the cluster has no such kind: an operator or a cloud brings it."
BEYOND = "Left out: it reaches beyond the run's own namespace, which is all that a run may change."
FRONT = "Left out: no controller of its class is here: users come to the Service."
NO_PART = "Left out: it is no part of the target's Deployment; keep in target.yaml would run it."
SERVICE = "Left out: it leads to no pod of the target, so nobody here would ask it."
JOB = (
    "Left out: its image is not at hand, or not the target's own. The target's own migrations take its place, "
    "if it has any."
)
LATER = "Left out: it is to run after the deployment: nothing of a run waits for it."
BESIDE = "Left out: its image is not at hand and nobody may fetch it; keep in target.yaml would run it."
NO_CONTAINERS = "Left out: processes of this machine run here, no containers; keep in target.yaml is for clusters."
NO_JOBS = (
    "Left out: processes of this machine run here, no containers. The target's own migrations take its place, "
    "if it has any."
)
SECRET = "It is made elsewhere: the rehearsal stands in for it with values of its own."  # noqa: S105 - a sentence
GIVEN_SECRET = "It is made elsewhere: the rehearsal stands in for it with the values of target.yaml."  # noqa: S105 - a sentence
ACCOUNT = "It is made elsewhere: a plain one without a right stands in for it."
VOLUME = "What it stands for is not here: an empty folder takes its place."
FILES = "What it stands for is not here: files of the rehearsal's own take their place."
PLACES = "The rehearsal's nodes have no such labels, classes or schedulers."
CLASS = "The folder brings this class, and it is left out: no pod could be made that names it."
PULL = "No registry is asked: images are at hand."
PROBE = "The TCP proxy has no HTTP port of its own: the proxy's start is asked on its database port."
COMMAND = "It belongs to another program than the target that runs here."
MEMORY = "The bundled API needs more than the limit of another program: 512Mi."
POLICY = "The target reaches the rehearsal's own database and emulators, and its users reach the target."
ORDER = "It has to be found first: the target stands before its helpers."

ALL = tuple(value for name, value in sorted(globals().items()) if name.isupper() and isinstance(value, str))
