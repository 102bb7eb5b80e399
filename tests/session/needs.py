"""What a test needs of a machine that not everybody may do: the markers. To be imported by tests alone: the control
groups are asked for at once, for in-process tests have that marker, which start no process any more once they begin.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

from harness.stack.kind import at_hand
from harness.stack.state import processes
from tests.session.reasons import NO_LIMITS, NO_ROOT

IN_A_SPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


class Lacking:
    """A condition of ``skipif`` that is asked when a test that has the marker begins, not when its module is read:
    pytest looks at the truth of what is no text only then.
    """

    def __init__(self, lacks: Callable[[], bool]) -> None:
        self._lacks = lacks

    def __bool__(self) -> bool:
        return self._lacks()


@functools.cache
def can_have_spaces() -> bool:
    """Whether a space of process ids can be made here, tried once: as root, with unshare."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*IN_A_SPACE, "true"], check=False, capture_output=True, timeout=10).returncode == 0


needs_docker = pytest.mark.skipif.with_args(
    Lacking(lambda: not at_hand.docker_answers()), reason="no Docker engine answers"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason=NO_ROOT)
needs_limits = pytest.mark.skipif(not processes.usable(), reason=NO_LIMITS)
needs_spaces = pytest.mark.skipif.with_args(Lacking(lambda: not can_have_spaces()), reason=NO_ROOT)
