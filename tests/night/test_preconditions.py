"""What a runner must have: each lack is a sentence with the remedy and the source, and docs/night.md has the same table."""

from __future__ import annotations

import re

import pytest
from night import preconditions
from night.preconditions import ALL, GIB, Machine

from tests.night import ROOT


class Runner(Machine):
    """A stock ubuntu-24.04 runner, changed as a test wants it."""

    def __init__(self) -> None:
        self.said: dict[str, str | None] = {
            "docker version": "28.0.4", "docker info --format {{.DockerRootDir}}": "/var/lib/docker",
            "docker info --format {{.CgroupVersion}}": "2", "docker image": "", "docker manifest": "{}",
            "sudo": "", "node": "v20.19.0", "go": "go1.24.6",
        }  # fmt: skip
        self.programs = {"docker", "go", "node", "kubectl", "kind"}
        self.files = {
            "/proc/meminfo": f"MemAvailable: {14 * GIB // 1024} kB\n",
            "/proc/sys/fs/inotify/max_user_instances": "1280\n",
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n",
        }
        self.free = 14 * GIB
        self.python = (3, 11)

    def which(self, program: str) -> str | None:
        return program if program in self.programs else None

    def ask(self, *command: str) -> str | None:
        return next((said for key, said in self.said.items() if " ".join(command).startswith(key)), None)

    def read(self, path: str) -> str:
        return self.files.get(path, "")

    def free_bytes(self, path: str) -> int:
        return self.free

    def listens(self) -> bool:
        return True

    def facts(self) -> tuple[str, str, tuple[int, int]]:
        return "Linux", "x86_64", self.python

    def home(self) -> str:
        return "/home/runner/rehearsal"


@pytest.fixture(autouse=True)
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1001)
    monkeypatch.delenv("TEKUTOKO_IMAGE_REGISTRY", raising=False)


def test_a_stock_runner_has_all_of_it() -> None:
    for needs in ("local", "kind"):
        lines, wrong = preconditions.report(needs, Runner())
        assert wrong == []
        assert any(line.startswith("ok") for line in lines)
    assert "without  user namespaces: restricted by AppArmor" in "\n".join(lines)


def broken(name: str) -> tuple[Runner, str]:
    """A runner without one thing, and the sentence."""
    runner = Runner()
    if name == "system":
        runner.python = (3, 10)
        return runner, "Python 3.10; wanted: .*actions/setup-python"
    if name == "memory":
        runner.files["/proc/meminfo"] = f"MemAvailable: {5 * GIB // 1024} kB\n"
        return runner, "5.0 GiB available"
    if name == "disk":
        runner.free = 8 * GIB
        return runner, "8.0 GiB free below /home/runner/rehearsal, 8.0 GiB free below /var/lib/docker"
    if name == "Docker":
        runner.said["docker version"] = None
        return runner, "no engine answers this user .*To do: add the user to the group docker"
    if name == "inotify instances":
        runner.files["/proc/sys/fs/inotify/max_user_instances"] = "128"
        return runner, "128 for each user.*sysctl"
    runner.said["docker manifest"] = None
    runner.programs.discard("go")
    return runner, "no registry answers, and there is no go and no mmdebstrap to build images with"


@pytest.mark.parametrize("name", ["system", "memory", "disk", "Docker", "inotify instances", "images"])
def test_each_lack_is_a_sentence_with_remedy_and_source(name: str) -> None:
    runner, said = broken(name)
    _, (wrong,) = preconditions.report("kind", runner)
    assert wrong.startswith(f"{name}: ")
    assert re.search(said, wrong)
    assert "To do: " in wrong and "(source: " in wrong


def test_where_images_are_built_user_namespaces_must_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner()
    runner.said["docker manifest"] = None
    runner.programs |= {"mmdebstrap"}
    _, (wrong,) = preconditions.report("kind", runner)
    assert "mmdebstrap may not make user namespaces here" in wrong
    runner.said["unshare"] = ""
    assert preconditions.report("kind", runner)[1] == []
    monkeypatch.setenv("TEKUTOKO_IMAGE_REGISTRY", "none")
    runner.said.update({"docker manifest": "{}", "unshare": None})
    assert preconditions.report("kind", runner)[1] != []
    runner.said["docker image"] = "kindest/node:v1.34.0"
    assert preconditions.report("kind", runner)[1] == []


def test_what_only_changes_what_is_done_stops_nothing() -> None:
    runner = Runner()
    runner.programs -= {"go", "node", "kubectl", "kind"}
    runner.said.update({"sudo": None, "docker info --format {{.CgroupVersion}}": "1"})
    lines, wrong = preconditions.report("kind", runner)
    assert wrong == []
    assert sum(line.startswith("without") for line in lines) == 6


def test_the_document_has_the_same_table() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs" / "night.md").read_text(), re.M
    )
    listed = [tuple(cell.strip() for cell in row) for row in rows if row[0].strip() in {each.name for each in ALL}]
    assert listed == [(each.name, ", ".join(each.needs), each.wanted, each.source, each.remedy) for each in ALL]


@pytest.mark.process
def test_this_machine_is_looked_at_as_it_is() -> None:
    machine = Machine()
    assert machine.ask("sh", "-c", "echo there") == "there"
    assert machine.ask("sh", "-c", "exit 3") is None and machine.ask("no-such-program") is None
    assert machine.free_bytes("/no/such/folder") > 0 and machine.read("/no/such") == ""
    assert machine.listens() and machine.facts()[0] == "Linux"
