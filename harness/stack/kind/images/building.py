"""What exists only while an image is built: the folder of its context, interim images and an interim container.

The folder is a run's own. Docker's things are named for that run and carry no label of it, because an image inherits
the labels of the container that it is made of, and each container those of its image. So a sweep takes everything away
once the process that builds is gone, however it ended.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

from harness.stack.kind import record
from harness.stack.kind.images.recipe import REPOSITORY
from harness.stack.kubernetes import labels
from harness.stack.state import RunState, may_live
from harness.stack.state.processes import process_mark

#: Docker's label arguments of every image that is built here.
LABEL = ("--label", f"{labels.MANAGED}={labels.MANAGER}")
#: The repository of interim images, whose tags are names as of interim containers.
INTERIM = f"{REPOSITORY}/interim"
_RUN = "image-"


@contextlib.contextmanager
def building(image: str) -> Iterator[RunState]:
    """Begin a run that lasts as long as the building of ``image``; its folder is gone afterwards.

    Raises ``StackNotStarted``, also where the folder cannot be removed.
    """
    key = hashlib.sha256(image.encode()).hexdigest()[:12]
    state = RunState.begin(f"{_RUN}{key}-{process_mark()}")
    try:
        yield state
    finally:
        state.end()


def interim(state: RunState, part: str) -> str:
    """Return the name of an interim ``part`` of the image that ``state`` builds: of a container, or an image's tag."""
    return f"{record.mark()}{labels.container(state.lease.run_id, part)}"


def left_behind(name: str) -> bool:
    """Return whether ``name`` is of ours by ``interim``, and the run that built is gone."""
    run_id = name.removeprefix(record.mark()).rpartition(".")[0]
    return name.startswith(f"{record.mark()}{_RUN}") and not may_live(run_id)
