"""What a person gets wrong before any cluster is asked: each a clear error, exit status 2 or 30, and nothing made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.base.clock import MachineClock
from harness.base.errors import Exit, StackNotStarted
from harness.cli.main import main
from harness.model.stack import EnvironmentKind, Target
from harness.run.options import Options
from harness.run.runner import Runner
from harness.stack.environments.choice import cluster_images, overlay
from harness.stack.kind.stack import KindStack
from harness.stack.kube.access import look
from harness.stack.kube.stack import KubeStack
from harness.stack.kubernetes.kubectl_runner import by_context
from harness.stack.manifests import load
from harness.stack.protocol import ByKubectl, WithOutside

NOWHERE = "https://127.0.0.1:1"


def kubeconfig(path: Path, *contexts: str, server: str = NOWHERE) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "there", "cluster": {"server": server}}],
        "users": [{"name": "somebody", "user": {"token": "none"}}],
        "contexts": [{"name": name, "context": {"cluster": "there", "user": "somebody"}} for name in contexts],
        "current-context": contexts[0] if contexts else "",
    }
    path.write_text(yaml.safe_dump(document))
    return path


def run(folder: Path, *words: str) -> int:
    return main(["run", "rollout_week3", "--on", "kube", "--reports", str(folder / "reports"), *words])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--on kube needs --context"),
        (("--context", "mine", "--kubeconfig", "{}/none"), "there is no kubeconfig"),
        (("--context", "other", "--kubeconfig", "{}/config"), "its contexts are: mine"),
        (("--context", "mine", "--kubeconfig", "{}/broken"), "does not read"),
        (("--context", "mine", "--kubeconfig", "{}/config"), "--yes-use-this-cluster"),
        (("--context", "mine", "--kubeconfig", "{}/config", "--target", "/bin/true"), "name it: image: NAME"),
    ],
)
def test_wrong_usage_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    kubeconfig(tmp_path / "config", "mine")
    (tmp_path / "broken").write_text("contexts: [1, 2]\n")
    assert run(tmp_path, *(word.format(tmp_path) for word in words)) == Exit.USAGE
    assert told in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "has no context 'mine'"),
        (b"- 1", "no mapping with contexts"),
        (b"some text", "no mapping with contexts"),
        (b"contexts: 3", "does not read: Expected `array | null`, got `int` - at `$.contexts`"),
        (b"contexts: [{name: mine, context: []}]", "does not read"),
        (b"contexts: [{name: mine}]", "names no cluster with a server"),
        (b"contexts: [{name: mine, context: {cluster: null}}]", "names no cluster with a server"),
        (b"contexts: [{name: mine, context: {cluster: 7}}]", "does not read: Expected `str | null`, got `int`"),
        (b"name: \xff", "is not UTF-8 text"),
        (b"[" * 5_000, "YAML"),
    ],
)
def test_what_is_no_kubeconfig_is_told_with_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: bytes, told: str
) -> None:
    (tmp_path / "config").write_bytes(raw)
    words = ("--context", "mine", "--kubeconfig", str(tmp_path / "config"))
    assert run(tmp_path, *words) == main(["operations", "daily", *words]) == Exit.USAGE
    said = capsys.readouterr().err
    assert said.count(told) == 2 and said.count(f"  where: {tmp_path / 'config'}") == 2 and said.count("to do:") == 2


def test_an_entry_that_nobody_asks_for_is_not_in_the_way(tmp_path: Path) -> None:
    config = kubeconfig(tmp_path / "config", "mine")
    written = yaml.safe_load(config.read_text())
    written["contexts"] += [
        {"name": 123, "context": None},
        {"context": []},
        {"name": "other", "context": {"cluster": 7}},
    ]
    written["clusters"] += [{"name": "gone", "cluster": {"server": None}}, {"name": 1.5, "cluster": "none"}]
    config.write_text(yaml.safe_dump(written))
    assert look("mine", str(config)).server == NOWHERE


def test_what_would_be_made_and_where_is_said_before_it_is_confirmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = kubeconfig(tmp_path / "config", "mine")
    run(tmp_path, "--context", "mine", "--kubeconfig", str(config), "--image-registry", "registry.example/x/")
    said = capsys.readouterr().err
    assert all(words in said for words in ("mine", NOWHERE, "one namespace tekutoko-", "registry.example/x;"))


def test_the_options_of_a_cluster_belong_to_kube_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "rollout_week3", "--on", "local", "--context", "mine", "--reports", str(tmp_path)]
    assert main(words) == Exit.USAGE
    assert "--context belongs to --on kube" in capsys.readouterr().err


@pytest.mark.process
async def test_a_server_that_does_not_answer_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    config = kubeconfig(tmp_path / "config", "mine")
    target = Target(name="none", command=(), image="none:1")
    stack = KubeStack(
        run_id=f"test-{os.getpid()}-unreachable",
        manifests=load(overlay(EnvironmentKind.KUBE), EnvironmentKind.KUBE),
        target=target,
        cluster=look("mine", str(config)),
        images=cluster_images(target, "", MachineClock()),
        folder=tmp_path,
        clock=MachineClock(),
        progress=lambda _line: None,
    )
    with pytest.raises(StackNotStarted, match="the cluster cannot be reached"):
        await stack.up()
    await stack.down()
    assert stack.leaks() == []


def test_of_several_files_the_first_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kubeconfig(tmp_path / "first", "mine", server="https://127.0.0.1:2")
    second = kubeconfig(tmp_path / "second", "mine", "other")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'missing'}:{second}")
    assert look("mine", "").server == "https://127.0.0.1:2"
    assert look("other", "").context == "other"


@pytest.mark.process
async def test_kubectl_is_given_every_file_wherever_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in a folder of its own, and takes a list of files by its environment alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").write_text('#!/bin/sh\necho "$KUBECONFIG" "$@"\n')
    (tmp_path / "bin" / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    kubeconfig(Path("first"), "mine")
    kubeconfig(Path("second"), "other")
    ran = await by_context(look("mine", "first:./second:none"), "ns", "get", "pods", limit_s=10, scratch=tmp_path)
    assert ran.output == f"{tmp_path}/first:{tmp_path}/second --context=mine --namespace=ns get pods\n"


def test_what_a_person_would_type_can_be_typed_on_a_cluster_of_ones_own() -> None:
    """`scaling --on kube` ended as an error of ours: it was asked where its parts outside the cluster answer."""
    assert issubclass(KubeStack, ByKubectl) and not issubclass(KubeStack, WithOutside)
    assert issubclass(KindStack, WithOutside)


def test_the_replay_names_the_cluster_and_leaves_the_confirmation_to_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = kubeconfig(tmp_path / "config", "mine")
    seen: list[Options] = []

    def remembered(make: Callable[[], Runner[Any, Any]], *_more: object, **_named: object) -> int:
        seen.append(make().options)
        return 0

    monkeypatch.setattr("harness.run.arguments.run_to_end", remembered)
    run(tmp_path, "--context", "mine", "--kubeconfig", str(config), "--yes-use-this-cluster")
    assert f"--on kube --seed 1 --context mine --kubeconfig {config}" in seen[0].replay
    assert "--yes" not in seen[0].replay
