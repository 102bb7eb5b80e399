"""Where the real controllers are, and how many samples to compare."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.stack.kind.images import binaries


@pytest.fixture(scope="session")
def programs() -> dict[str, Path]:
    """etcd, kube-apiserver and kube-controller-manager, as the kind rung builds them; skipped when they are not built."""
    kubernetes = binaries.KUBERNETES.folder()
    wanted = {name: kubernetes / name for name in ("kube-apiserver", "kube-controller-manager")}
    wanted["etcd"] = binaries.ETCD.folder() / "etcd"
    absent = [name for name, path in wanted.items() if not path.exists()]
    if absent:
        pytest.skip(f"not built on this machine: {', '.join(absent)}; the kind rung or `nox -s oracle` builds them")
    return wanted


@pytest.fixture(scope="session")
def samples() -> int:
    """``ORACLE_SAMPLES``: few in the suite, 10,000 by ``nox -s oracle``."""
    return int(os.environ.get("ORACLE_SAMPLES", "300"))
