"""The program that renders folders: which one is taken, its limits, what it is given, and its two forms of refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from harness.base import bootstrap
from harness.base.errors import BadInput
from harness.stack.manifests import kustomize, layers
from tests.session import rendered
from tests.test_manifests import folder

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """The program is looked for once a process."""
    kustomize.program.cache_clear()
    yield
    kustomize.program.cache_clear()


def script(at: Path, *lines: str) -> str:
    at.mkdir(exist_ok=True)
    (at / "kubectl").write_text("\n".join(("#!/bin/sh", *lines, "")))
    (at / "kubectl").chmod(0o755)
    return str(at / "kubectl")


def plain(tmp_path: Path, **says: object) -> Path:
    return folder(tmp_path, lambda _documents: None, **says)


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ('echo \'{"clientVersion": {"major": "1", "minor": "30+"}}\'', True),
        ('echo \'{"clientVersion": {"major": "1", "minor": "29"}}\'', False),
        ("echo no JSON", False),
        ("exit 1", False),
    ],
)
def test_a_kubectl_of_the_path_serves_where_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, taken: bool
) -> None:
    there = script(tmp_path / "bin", said)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(bootstrap, "program", lambda name: Path("/locked", name))
    assert kustomize.program() == (there if taken else "/locked/kubectl")


def test_where_none_can_be_had_it_says_what_would_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_name: str) -> Path:
        raise RuntimeError("installing kubectl failed (1)")

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(bootstrap, "program", failing)
    with pytest.raises(BadInput, match="could not be installed: installing kubectl failed") as caught:
        kustomize.render(plain(tmp_path))
    assert "1.30 or newer on PATH" in caught.value.remedy


def test_the_locked_one_is_installed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    found = bootstrap.program("kubectl", told.append)
    assert bootstrap.program("kubectl", told.append) == found
    assert len(told) <= 1
    assert kustomize.version(str(found)) >= kustomize.OLDEST
    documents = [kustomize.documents_of(each(plain(tmp_path)), "")[0] for each in (_by(found), _in_process)]
    assert documents[0] == documents[1], "what tests in process take for rendered is what kubectl renders"


def _by(program: Path) -> Callable[[Path], str]:
    return lambda given: kustomize.rendered(given, layers.read(given), str(program))[0]


@pytest.mark.parametrize("endless", ["exec /usr/bin/yes", "exec /bin/sleep 60"])
def test_a_program_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endless: str) -> None:
    monkeypatch.setattr(kustomize, "LIMIT_S", 0.5)
    monkeypatch.setattr(kustomize, "MAX_BYTES", 10_000)
    own = plain(tmp_path)
    with pytest.raises(BadInput, match=r"longer than 0.5 s, or printed more than 0.01 MB"):
        kustomize.rendered(own, layers.read(own), script(tmp_path / "bin", endless))


def test_it_is_given_no_cluster_and_no_way_to_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/somebody/s")
    own = plain(tmp_path)
    with pytest.raises(BadInput, match="refuses the folder: no"):
        program = script(tmp_path / "bin", f"export -p > {tmp_path}/given", "echo error: no >&2", "exit 1")
        kustomize.rendered(own, layers.read(own), program)
    given = (tmp_path / "given").read_text()
    assert "KUBECONFIG" not in given and "https_proxy" in given and str(Path.home()) not in given
    own = plain(tmp_path, configMapGenerator=[{"name": "far", "files": ["x=https://example.invalid/x.txt"]}])
    with pytest.raises(BadInput, match=r"proxyconnect|no such file"):
        kustomize.render(own)


@pytest.mark.parametrize(
    "says",
    [
        {"resources": ["https://example.com/x.yaml"]},
        {"components": ["github.com/example/walks//deploy?ref=v1"]},
        {"patches": [{"path": "https://example.com/p.yaml", "target": {"kind": "Deployment"}}]},
        {"transformers": ["https://example.com/t.yaml"]},
        {"openapi": {"path": "https://example.com/o.json"}},
    ],
)
def test_an_address_is_refused_before_it_is_asked(tmp_path: Path, says: dict[str, object]) -> None:
    own = plain(tmp_path, **says)
    with pytest.raises(BadInput, match="lies elsewhere") as caught:
        kustomize.render(own)
    assert str(own / "kustomization.yaml:") in caught.value.where
    assert "a run fetches nothing" in caught.value.remedy


def test_both_forms_of_a_refusal_are_read_alike(tmp_path: Path) -> None:
    """Older ones log it, on one line or several, newer ones print it."""
    own = plain(tmp_path, nonsense=1)
    found = layers.read(own)
    reason = "json: unknown field {0}nonsense{0}"
    path = f"couldn't make target for path '{own}': invalid Kustomization"
    for said in (
        "error: accumulating resources: " + f"{path}: {reason.format(chr(34))}\n",
        f'E1202 05:00:00.000001    1 run.go:72] "command failed" err="{path}: ' + reason.format('\\"') + '"\n',
        f'E1202 05:00:00.000001    1 run.go:72] "command failed" err=<\n\t{path}: {reason.format(chr(34))}\n >\n',
    ):
        error = kustomize.refusal(said, found)
        assert error.what.endswith(': json: unknown field "nonsense"')
        assert error.where == f"{own}/kustomization.yaml:1"


def test_of_a_number_that_should_be_text_the_line_is_that_number_s(tmp_path: Path) -> None:
    images = [{"name": "a", "newTag": "1"}, {"name": "b", "newTag": 2}]
    own = plain(tmp_path, images=images)
    lines = (own / "kustomization.yaml").read_text().splitlines()
    with pytest.raises(BadInput) as caught:
        kustomize.render(own)
    assert lines[int(caught.value.where.rpartition(":")[2]) - 1].strip() == "newTag: 2"


def _in_process(given: Path) -> str:
    return rendered.printed(given, layers.read(given))[0]


def test_what_is_no_mapping_is_named(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(["deployment.yaml"]))
    with pytest.raises(BadInput, match="is not one mapping"):
        kustomize.render(tmp_path)
