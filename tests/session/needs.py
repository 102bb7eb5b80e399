"""What a test needs of a machine that not everybody may do: the markers, and the reasons by which the gate knows them."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from harness.stack.state import cgroups

NO_ROOT = "only root becomes another user, mounts a file system or makes a space of process ids"
NO_LIMITS = "control groups (cpu and memory) cannot be made here: the rung enforces no limits"
IN_A_SPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def can_have_spaces() -> bool:
    """Whether a space of process ids can be made here: as root, with unshare."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*IN_A_SPACE, "true"], check=False, capture_output=True, timeout=10).returncode == 0


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason=NO_ROOT)
needs_limits = pytest.mark.skipif(not cgroups.usable(), reason=NO_LIMITS)
needs_spaces = pytest.mark.skipif(not can_have_spaces(), reason=NO_ROOT)
