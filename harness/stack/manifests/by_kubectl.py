"""Folders that use more of kustomize than is read here, rendered by ``kubectl kustomize``, where a kubectl is at hand.

Nothing is asked of a cluster. A resource with an address is refused before: a run needs nothing of the network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.base.errors import BadInput
from harness.base.home import home, use
from harness.model.message import message

LIMIT_S = 60.0
_BUILT = "kind/binaries/kubernetes-*/kubectl"  # of the rung kind, below home()


def program() -> str | None:
    """The kubectl of the PATH, else the newest that the environment kind has built; ``None`` without any."""
    if (found := shutil.which("kubectl")) is not None:
        return found
    built = sorted(home().glob(_BUILT), key=lambda path: path.stat().st_mtime)
    return str(use(built[-1].parent) / "kubectl") if built else None


def rendered(folder: Path, kubectl: str) -> str:
    """What it prints for ``folder``. Raises ``BadInput`` with its words."""
    with tempfile.TemporaryDirectory() as nobody:  # no kubeconfig of the person's
        try:
            answer = subprocess.run(
                [kubectl, "kustomize", "--load-restrictor=LoadRestrictionsNone", str(folder)],
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
                env={"PATH": os.environ.get("PATH", ""), "HOME": nobody, "GIT_TERMINAL_PROMPT": "0"},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            what = message("kubectl kustomize did not answer: {error}", error=str(error))
            raise BadInput(what, where=str(folder), remedy=kubectl) from error
    if answer.returncode != 0:
        what = message("kubectl kustomize refuses the folder: {said}", said=answer.stderr.strip()[-800:])
        raise BadInput(what, where=str(folder), remedy="mend the folder")
    return answer.stdout
