"""``python -m harness`` by a Python without a package: it goes on in the locked environment, or says why it cannot."""

from __future__ import annotations

import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from harness.base import bootstrap

ROOT = Path(__file__).resolve().parent.parent
BARE = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def by_a_bare_python(*words: str) -> subprocess.CompletedProcess[str]:
    """Without ``site``, and so without any package."""
    return subprocess.run(
        [BARE, "-S", "-m", *words], cwd=ROOT, check=False, capture_output=True, text=True, timeout=120
    )


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("harness", "undo", "--help"), "python -m harness undo"),
        (("harness.stack.kind", "--help"), "python -m harness.stack.kind"),
        (("harness.stack.kind.images", "--help"), "--load CLUSTER"),
    ],
)
def test_any_python_goes_on_in_the_locked_environment(words: tuple[str, ...], says: str) -> None:
    done = by_a_bare_python(*words)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout


@pytest.mark.process
def test_arguments_and_exit_status_go_through() -> None:
    done = by_a_bare_python("harness", "run", "no_such_scenario")
    assert done.returncode == 2
    assert "no_such_scenario" in done.stderr and "Traceback" not in done.stderr


def test_without_the_packages_and_without_an_index_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ensure(_level: str) -> Path:
        raise RuntimeError("installing the locked packages with pip failed (1)")

    monkeypatch.setattr(util, "find_spec", lambda _name: None)
    monkeypatch.setattr(bootstrap, "ensure", ensure)
    with pytest.raises(SystemExit) as ended:
        bootstrap.enter("harness")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "could not be installed: installing the locked packages with pip failed (1)" in said
    assert "to do: check the package index" in said
