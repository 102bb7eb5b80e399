"""Completion: what a real bash completes behind ``python -m harness``; each script has every command and option."""

from __future__ import annotations

import subprocess

import pytest

from harness.cli.main import ALL, main
from harness.run.command import flags

TRY = """
source /dev/stdin <<< "$SCRIPT"
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_tekutoko_rehearsal
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.process
def test_bash_completes_commands_options_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    made = script("bash", capsys)

    def completed(*words: str) -> set[str]:
        command = ["bash", "--norc", "-c", TRY, "bash", "python", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20, env={"SCRIPT": made})
        assert done.stderr == ""
        return set(filter(None, done.stdout.split("\n")))

    assert completed("-m", "harness", "rolli") == {"rolling_update"}
    assert completed("-m", "harness", "lis") == {"list"}
    assert completed("-m", "harness", "list", "--") == {"--json", "--help"}
    assert completed("-m", "harness", "stack", "") == {"up", "keep", "status", "down"}
    assert completed("-m", "harness", "stack", "up", "--det") == {"--detach"}
    assert completed("-m", "harness", "run", "rollout_week3", "--on", "k") == {"kind", "kube"}
    assert completed("-m", "harness", "run", "rollout_week3", "--seed", "") == set()
    assert {"rollout_week1", "rollout_week4"} <= completed("-m", "harness", "run", "")
    assert completed("-m", "harness", "network", "--fault") == set()
    assert completed("-m", "pytest", "") == completed("script.py", "ro") == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_has_every_command_and_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = script(shell, capsys)
    for name, entry in ALL.items():
        of_one = [line for line in made.splitlines() if f'"{name}"' in line or f"'__tekutoko_at {name}'" in line]
        for each in flags(entry.load()):
            assert any((f" -l {each[2:]} " if shell == "fish" else each) in line for line in of_one), (name, each)


def test_fish_completes_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    made = script("fish", capsys).splitlines()
    assert "complete -c python -c python3 -n __tekutoko_at -f -a list -d 'Every command.'" in made
    assert "complete -c python -c python3 -n '__tekutoko_at list' -l json -d 'print the list as JSON'" in made


def test_a_python_by_another_name_is_completed_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.cli.completion._PYTHONS", ("python", "python3", "python3.12"))
    assert "-F _tekutoko_rehearsal python python3 python3.12" in script("bash", capsys)
    assert "complete -c python -c python3 -c python3.12 -n" in script("fish", capsys)
