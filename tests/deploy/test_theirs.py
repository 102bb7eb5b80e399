"""Folders of other teams (``theirs``): read with the file and line of their values, refused with file and line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base import yamltext
from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.stack.manifests import kustomize, load
from harness.stack.manifests.forced.environment import plain_secrets
from tests.deploy.theirs import CORPUS, HERE, STARTING, Theirs
from tests.report.marking import english_of

READ = [each for each in CORPUS if each.name not in ("helm_chart", "remote_base")]
BY_NAME = {each.name: each for each in CORPUS}


def name_of(each: Theirs) -> str:
    return each.name


def test_the_corpus_is_as_large_and_as_varied_as_it_is_to_be() -> None:
    assert len(CORPUS) >= 15
    assert len(STARTING) >= 13
    said = " ".join(feature for each in CORPUS for feature in each.features)
    for feature in (
        "components", "namePrefix", "nameSuffix", "commonLabels", "includeSelectors", "commonAnnotations", "digest",
        "replicas", "merge", "replace", "create", "disableNameSuffixHash", "patchesStrategicMerge", "patchesJson6902",
        "labelSelector", "annotationSelector", "pattern", "replacements", "vars", "configurations", "helmCharts",
        "remote", "Job", "initContainers", "nginx", "gce", "ManagedCertificate", "BackendConfig", "FrontendConfig",
        "ExternalSecret", "SealedSecret", "ServiceMonitor", "three containers", "envFrom", "headless", "percent",
    ):  # fmt: skip
        assert feature in said, feature


@pytest.mark.process
@pytest.mark.parametrize("each", READ, ids=name_of)
def test_every_value_has_its_place_in_their_folder(each: Theirs) -> None:
    rendered = kustomize.render(each.path)
    for key, document in rendered.documents.items():
        file, line = rendered.places.of(key, "metadata", "name")
        assert Path(file).resolve().is_relative_to(HERE / each.name), key
        assert line, key
        for path, _value in leaves(document):
            file, line = rendered.places.of(key, *path)
            text = Path(file).read_text(encoding="utf-8")
            assert Path(file).resolve().is_relative_to(HERE / each.name), (key, path)
            assert 1 <= line <= text.count("\n") + 1, (key, path)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        return [each for key, child in value.items() for each in leaves(child, (*path, key))]
    if isinstance(value, list):
        return [each for index, child in enumerate(value) for each in leaves(child, (*path, index))]
    return [(path, value)]


def line_of(place: tuple[str, int]) -> str:
    return Path(place[0]).read_text(encoding="utf-8").splitlines()[place[1] - 1].strip()


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "key", "path", "said"),
    [
        (
            "base_overlays",
            "Deployment/prod-api",
            ("spec", "template", "spec", "containers", 0, "resources", "limits", "cpu"),
            'limits: {cpu: "1", memory: 1Gi}',
        ),
        (
            "base_overlays",
            "Deployment/prod-api",
            ("spec", "template", "spec", "containers", 1, "args", 0),
            "- --structured-logs",
        ),
        (
            "base_overlays",
            "Deployment/prod-api",
            ("spec", "template", "spec", "containers", 0, "env", 2, "valueFrom", "fieldRef", "fieldPath"),
            "valueFrom: {fieldRef: {fieldPath: metadata.name}}",
        ),
        ("selectors", "Deployment/walk-backend-api", ("spec", "replicas"), "value: 2"),
        ("deprecated", "ConfigMap/walk-env-prod", ("data", "database"), "database: walkdb_prod"),
        ("replacements", "Ingress/tekutoko", ("spec", "rules", 0, "host"), "- host: HOST"),  # a step changed it
        ("base_overlays", "Deployment/prod-api", ("spec", "replicas"), "spec:"),  # as above
        ("flat", "ConfigMap/walk-settings-76k4m4g2k9", ("data", "DB_HOST"), "DB_HOST=127.0.0.1"),
    ],
)
def test_a_value_stands_where_the_folder_says_it_last(
    name: str, key: str, path: tuple[str | int, ...], said: str
) -> None:
    rendered = kustomize.render(BY_NAME[name].path)
    key = next(each for each in rendered.documents if each.split("-")[0:2] == key.split("-")[0:2])
    assert line_of(rendered.places.of(key, *path)) == said


@pytest.mark.parametrize("each", [each for each in CORPUS if each not in READ], ids=name_of)
def test_what_would_be_fetched_is_refused_before_kubectl_is_asked(each: Theirs) -> None:
    with pytest.raises(BadInput) as caught:
        kustomize.render(each.path)
    assert each.says in caught.value.what
    assert caught.value.where.endswith(each.where)
    assert caught.value.where.startswith(str(HERE / each.name))
    assert caught.value.remedy
    assert english_of(caught.value) == []


def mended(tmp_path: Path, name: str, file: str, old: str, new: str) -> Path:
    copy = tmp_path / name
    shutil.copytree(HERE / name, copy)
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
    return copy / BY_NAME[name].folder


#: The folder, a file of it, what is put in the place of what, and the error: its words, file, line and key.
MISTAKES = [
    ("flat", "deployment.yaml", "cpu: 250m", "cpu: 250 m", "not a Kubernetes quantity", "deployment.yaml:31, Deployment/walk-api"),
    ("flat", "deployment.yaml", "path: /ready, port: 8080", "path: /ready, port: web", "no named container port",
     "deployment.yaml:26, "),
    ("flat", "deployment.yaml", "containerPort: 8080", "containerPort: http", "Expected `int`", "deployment.yaml:17, "),
    ("flat", "kustomization.yaml", "newTag: v1.14.2", "newTag: 1.14", "cannot unmarshal number", "kustomization.yaml:10"),
    ("flat", "service.yaml", "selector: {app: walk-api}", "selector: {app: walk}", "does not select the pods",
     "service.yaml:7, Service/walk-api.spec.selector"),
    ("base_overlays", "base/hpa.yaml", "averageUtilization: 60", "averageUtilization: 0", "", "base/hpa.yaml:13, "),
    ("base_overlays", "overlays/production/hpa-patch.yaml", "value: 4", "value: 40", "minReplicas 40",
     "HorizontalPodAutoscaler/prod-api.spec"),
    ("base_overlays", "overlays/production/hpa-patch.yaml", "/spec/maxReplicas", "/spec/max/Replicas",
     "doc is missing path: /spec/max/Replicas", "production/hpa-patch.yaml:5"),
    ("base_overlays", "overlays/production/kustomization.yaml", "name: api\n    count", "name: apo\n    count",
     "resource with name apo does not match", "production/kustomization.yaml:9"),
    ("base_overlays", "overlays/production/kustomization.yaml", "behavior: merge", "behavior: marge", "behavior must be merge or replace",
     "production/kustomization.yaml:16"),
    ("base_overlays", "overlays/production/resources-patch.yaml", "name: api\nspec", "name: app\nspec",
     "no matches for Id Deployment.v1.apps/app", "resources-patch.yaml:4"),
    ("base_overlays", "overlays/production/resources-patch.yaml", "limits: {cpu: \"1\"", "limits: {cpu: 100m",
     "above its limit", "base/deployment.yaml:46, Deployment/prod-api"),
    ("generators", "overlays/prod/kustomization.yaml", "literals: [HOST=", "literals: [NOPE", "expected key=value",
     "prod/kustomization.yaml:11"),
    ("replacements", "kustomization.yaml", "spec.domains.0", "spec.names.0", 'unable to find field "spec.names.0"',
     "kustomization.yaml:12"),
    ("deprecated", "common/kustomization.yaml", "name: walk-env}", "name: walk-envs}", "var '{WALK_DATABASE",
     "common/kustomization.yaml:8"),
    ("configurations", "base/kustomization.yaml", "[app.yaml, backup.yaml]", "[app.yaml, back.yaml]", "no such file or directory",
     "base/kustomization.yaml:3"),
    ("monorepo", "deploy/shared/account.yaml", "metadata:", "metadata", "not YAML", "deploy/shared/account.yaml:4"),
]  # fmt: skip


@pytest.mark.process
@pytest.mark.parametrize(("name", "file", "old", "new", "what", "where"), MISTAKES)
def test_a_mistake_in_their_folder_is_named_with_their_file_and_line(
    tmp_path: Path, name: str, file: str, old: str, new: str, what: str, where: str
) -> None:
    folder = mended(tmp_path, name, file, old, new)
    with pytest.raises(BadInput) as caught:
        load(folder)
    error = caught.value
    assert what in error.what
    assert where in error.where
    assert str(tmp_path / name) in error.where
    assert "deploy/kubernetes" not in f"{error.where} {error.what} {error.remedy}".replace(str(ROOT), "")
    assert error.remedy
    assert english_of(error) == []


values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, False, "1Gi", [], {}]), st.integers(-9, 99999), st.text(max_size=5)
)


def test_of_a_secret_what_is_no_base64_or_no_text_is_left_out() -> None:
    given = {"text": "d2Fsa3M=", "no base64": "walks", "no ASCII": "\x80", "no UTF-8": "/w==", "nothing": None}
    assert plain_secrets({"data": given, "stringData": {"as it is": "歩"}}) == {"text": "walks", "as it is": "歩"}


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in (".yaml", ".yml", ".json"))


@pytest.mark.process
@settings(max_examples=40)
@given(st.data())
def test_any_one_value_of_theirs_replaced_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    replaced(tmp_path_factory.mktemp("any"), data)


@pytest.mark.process
@pytest.mark.nightly
@settings(max_examples=1500)
@given(st.data())
def test_any_one_value_of_theirs_replaced_is_read_or_refused_often(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    replaced(tmp_path_factory.mktemp("any"), data)


def replaced(tmp_path: Path, data: st.DataObject) -> None:
    """One value of one file of the corpus is another; the folder is then read, or refused in words."""
    each = data.draw(st.sampled_from(READ))
    copy = tmp_path / each.name
    shutil.copytree(HERE / each.name, copy)
    file = data.draw(st.sampled_from(files_of(copy)))
    documents = list(yaml.load_all(file.read_text(encoding="utf-8"), yamltext.SAFE))
    node: Any = documents
    key: Any = data.draw(st.integers(0, len(documents) - 1))
    while isinstance(node[key], (dict, list)) and node[key] and data.draw(st.integers(0, 9)) > 0:
        node = node[key]
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
    node[key] = data.draw(values)
    file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    try:
        load(copy / each.folder)
    except BadInput as error:
        assert error.what and error.where and error.remedy
        assert not re.search(r"deploy/kubernetes/(base|overlays)", f"{error.where} {error.what} {error.remedy}")
    shutil.rmtree(copy)
