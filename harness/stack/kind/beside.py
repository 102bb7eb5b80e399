"""Processes beside a container's own: in its control groups and its process namespace, made of the node's programs.

They count as the container's usage, are bound by its limits, and end with it, whatever its image holds: no shell need
be in it. The node's own `sh`, `head`, `tail` and `nsenter` do the work.
"""

from __future__ import annotations

from harness.stack.kind import docker
from harness.stack.kubernetes.pods import Pod
from harness.stack.protocol import Undo

BEGIN_LIMIT_S = 60.0
BUSY = "while :; do :; done"
#: `tail` keeps the last bytes of what it reads until its input ends.
_HOLD = "{{ head -c {bytes} /dev/zero; exec sleep infinity; }} | tail -c {more} > /dev/null"

# $0 is the container's id, $1 the control group hierarchy of cgroup v1 (v2 has one), $2 what is run. It is the leader
# of a process group, whose number is the answer.
_BEGIN = """
set -eu
pid=$(ctr --namespace k8s.io tasks list | awk -v id="$0" '$1 == id {print $2}')
test -n "$pid"
root=/sys/fs/cgroup
test -e "$root/cgroup.controllers" || root="$root/$1"
groups=$(find "$root/" -path "*$0*" -name cgroup.procs)
test -n "$groups"
setsid sh -c '
  for group in $2; do echo $$ > "$group"; done
  exec nsenter --target "$0" --pid -- sh -c "$1"
' "$pid" "$2" "$groups" < /dev/null > /dev/null 2>&1 &
echo $!
"""
#: Well too when it ended with its container.
_END = "kill -s KILL -- -{group} || test ! -e /proc/{group}"


def holding(amount_bytes: int) -> str:
    """A script that holds so much memory until it is ended."""
    return _HOLD.format(bytes=amount_bytes, more=amount_bytes + 1)


async def begin(pod: Pod, container: str, hierarchy: str, script: str) -> Undo:
    """Runs ``script`` beside ``container``; ``hierarchy`` is where cgroup v1 counts it: ``cpu`` or ``memory``.

    The undo ends it, and raises as this does when it cannot. Raises ``StackNotStarted``.
    """
    command = ("sh", "-c", _BEGIN, pod.containers[container], hierarchy, script)
    said = await docker.execute(pod.node, *command, what=f"a process beside {pod.name}", limit_s=BEGIN_LIMIT_S)
    group = int(said)

    async def undo() -> None:
        await docker.execute(pod.node, "sh", "-c", _END.format(group=group), what=f"ending it on {pod.node}")

    return undo
