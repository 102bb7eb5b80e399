"""``--target``: what is read, and what is refused with its file, line and an example."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.base.errors import BadInput
from harness.model.stack import AUTO, EnvironmentKind, Target
from harness.stack.environments.choice import choose, for_rung
from harness.stack.target import variables as environment
from harness.stack.target.targets import bundled, resolve, resolve_command
from tests.nowhere import NOWHERE, all_at
from tests.report.marking import english_of
from tests.stack.rungs import manifests

#: docs/contract/environment.md#variables; FIREBASE_CREDENTIALS_PATH is absent against emulators.
CONTRACT = {
    *("PORT", "METRICS_PORT", "ENVIRONMENT", "POD_NAME", "LOG_LEVEL", "LOG_FORMAT"),
    *("DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME", "DB_SSLMODE"),
    *("FIREBASE_PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "FIREBASE_AUTH_EMULATOR_HOST"),
    *("FIRESTORE_EMULATOR_HOST", "STORAGE_EMULATOR_HOST"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a program in it."""
    program = tmp_path / "walk api"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "plain.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> str:
    (folder / "target.yaml").write_text(text)
    return "target.yaml"


def test_none_is_the_bundled_api() -> None:
    assert resolve(None) == bundled()
    assert bundled().bundled


def test_a_command_line_runs_where_it_was_typed_and_migrates_by_itself(folder: Path) -> None:
    target = resolve("'./walk api' --flag 'two words'")
    assert target == Target(
        name="'./walk api' --flag 'two words'",
        command=(str(folder / "walk api"), "--flag", "two words"),
        folder=str(folder),
    )
    assert target.migrations == () and not target.bundled


def test_a_program_is_sought_on_the_path(folder: Path) -> None:
    assert Path(resolve("sh -c true").command[0]).is_absolute()


def test_a_file(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "migrate").write_text("")
    (folder / "sub" / "migrate").chmod(0o755)
    name = write(
        folder,
        'name: ours\ncommand: ["../walk api", -v]\nfolder: sub\nenvironment: {FEATURE_X: "on"}\nmigrations: ./migrate up\n',
    )
    assert resolve(name) == Target(
        name="ours",
        command=(str(folder / "sub" / "../walk api"), "-v"),
        folder=str(folder / "sub"),
        environment={"FEATURE_X": "on"},
        migrations=(str(folder / "sub" / "migrate"), "up"),
        migrations_folder=str(folder / "sub"),
        file="target.yaml",
    )


def test_the_smallest_file_runs_beside_itself(folder: Path) -> None:
    name = write(folder, "command: \"'./walk api' -v\"\n")
    target = resolve(name)
    assert target == Target(name="target", command=(str(folder / "walk api"), "-v"), folder=str(folder), file=name)


def test_a_file_says_what_no_manifest_does(folder: Path) -> None:
    for name in ("deploy", "build"):
        (folder / name).mkdir()
    (folder / "build" / "Dockerfile").write_text("FROM scratch\n")
    (folder / "api.yaml").write_text("openapi: 3.1.0\n")
    text = """
dockerfile: build/Dockerfile
manifests: deploy
deployment: walk/server
openapi: api.yaml
variables:
  database: {host: [A_HOST, B_HOST], url: ADDRESS, form: "pg://{user}@{host}/{name}"}
  auth: AUTH
metrics: {path: /m, variable: LISTEN}
secrets: {db: [user], other: {key: value}}
keep: [Deployment/redis]
"""
    found = resolve(write(folder, text))
    assert (found.dockerfile, found.context) == (str(folder / "build/Dockerfile"), str(folder / "build"))
    assert (found.manifests, found.openapi) == (str(folder / "deploy"), str(folder / "api.yaml"))
    assert found.variables == {
        "database.host": ("A_HOST", "B_HOST"), "database.url": ("ADDRESS",), "auth": ("AUTH",), "metrics_port": ("LISTEN",)
    }  # fmt: skip
    assert found.url_form == "pg://{user}@{host}/{name}"
    assert found.metrics_path == "/m"
    assert found.secrets == {"db": {"user": ""}, "other": {"key": "value"}}
    assert (found.deployment, found.keep, found.own_image) == ("walk/server", ("Deployment/redis",), True)


def test_an_image_on_clusters_and_a_command_on_this_machine(folder: Path) -> None:
    both = resolve(write(folder, "command: sh\nimage: walk:1\n"))
    assert choose(AUTO, both).rung is EnvironmentKind.LOCAL
    assert for_rung(both, EnvironmentKind.LOCAL).image == "" and for_rung(both, EnvironmentKind.LOCAL).command
    assert (for_rung(both, EnvironmentKind.KIND).image, for_rung(both, EnvironmentKind.KIND).command) == ("walk:1", ())
    assert resolve_command("target.yaml").image == ""
    with pytest.raises(BadInput, match="the environment local cannot run the image walk:1") as refused:
        resolve_command("image:walk:1")
    assert refused.value.where == "--target" and "docs/backend.md" in refused.value.remedy
    assert "## An image alone" in (ROOT / "docs/backend.md").read_text()
    (folder / "Dockerfile").write_text("")
    built = resolve(write(folder, "dockerfile: Dockerfile\n"))
    assert choose(AUTO, built).rung is EnvironmentKind.KIND
    with pytest.raises(BadInput, match="the environment local cannot run what"):
        choose("local", built)
    with pytest.raises(BadInput, match="the environment kube cannot run what"):
        choose("kube", built)


def test_a_process_is_told_by_the_names_that_the_file_says(folder: Path) -> None:
    ends = all_at(storage=NOWHERE, database_password="a/b")
    text = "command: sh\nvariables: {database: {url: ADDRESS, host: [A, B]}, firestore: F, storage: S, port: LISTEN}\n"
    target = resolve(write(folder, text))
    container = manifests().deployment.template.containers[0]
    made = environment.of_target(container, target, ends, pod="p", port=2, database_port=3)
    assert made["ADDRESS"] == "postgresql://tekutoko:a%2Fb@127.0.0.1:3/tekutoko?sslmode=disable"
    assert {made[name] for name in ("A", "B", "DB_HOST")} == {"127.0.0.1"}
    assert (made["F"], made["S"], made["LISTEN"], made["PORT"]) == ("127.0.0.1:1", "http://127.0.0.1:1", "2", "2")


def test_our_migrations_run_in_our_folder(folder: Path) -> None:
    target = resolve(write(folder, "command: sh\nmigrations: bundled\n"))
    assert target.migrations == (sys.executable, "-m", "api", "migrate")
    assert target.migrations_folder == str(ROOT)
    assert target.folder == str(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("./walk 'x", "close the quotes"),
        ("./nothing", "nothing is not there"),
        ("./plain.txt", "chmod +x"),
        ("./", "is not there"),
        ("no-such-program-anywhere", "PATH"),
        ("missing.yaml", "missing.yaml"),
    ],
)
def test_a_bad_command_line(folder: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        resolve(text)
    assert says in str(refused.value)
    assert refused.value.where and refused.value.remedy


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "mapping"),
        ("- sh\n", None, "mapping"),
        ("name: x\n", 1, "command: ["),
        ("name: x\ncommand: []\n", 2, "command is empty"),
        ("name: x\ncommand: ''\n", 2, "command is empty"),
        ("name: x\ncommand: 5\n", 2, "command"),
        ("command: sh\ncomand: sh\n", 2, "unknown key 'comand'; did you mean 'command'"),
        ("command: sh\ncommand: sh\n", 2, "twice"),
        ("command: ./nothing\n", 1, "nothing is not there"),
        ("command: [./plain.txt]\n", 1, "not executable"),
        ("command: sh\nfolder: nowhere\n", 2, "nowhere is no folder"),
        ("command: sh\nmigrations: ./nothing\n", 2, "nothing is not there"),
        ("command: sh\nmigrations: []\n", 2, "migrations is empty"),
        ("command: sh\nenvironment: {X: 1}\n", 2, "environment"),
        ("command: sh\nenvironment: {X: 'a'}\nname: [1]\n", 3, "name"),
        ("command: sh\nenvironment:\n  PORT: '1'\n", 3, "PORT"),
        ("command: sh\nenvironment:\n  METRICS_PORT: '1'\n", 3, "METRICS_PORT"),
        ("command: sh\nenvironment:\n  DB_HOST: x\n", 3, "DB_HOST"),
        ("command: sh\nenvironment:\n  'A=B': x\n", 3, "no name of an environment variable"),
        ("command: sh 'open\n", 1, "close the quotes"),
        ("command: sh\ndockerfile: nowhere\n", 2, "nowhere is no file"),
        ("image: a\ndockerfile: plain.txt\n", 2, "both given"),
        ("command: sh\ncontext: .\n", 2, "without a dockerfile"),
        ("image: a b\n", 1, "names no image"),
        ("command: sh\nmanifests: nowhere\n", 2, "nowhere is no folder"),
        ("command: sh\nopenapi: nowhere\n", 2, "nowhere is no file"),
        ("command: sh\nvariables:\n  database: {hots: A}\n", 3, "'hots' means nothing here; did you mean 'host'"),
        ("command: sh\nvariables:\n  mail: A\n", 3, "'mail' means nothing here"),
        ("command: sh\nvariables:\n  auth: 'A-B'\n", 3, "no name of an environment variable"),
        ("command: sh\nvariables:\n  database: {url: A, form: 'x{nobody}'}\n", 3, "nothing fills"),
        ("command: sh\nmetrics: {path: metrics}\n", 2, "no path"),
        ("command: sh\nmetrics: {port: 9}\n", 2, "the keys are: path, variable"),
        ("command: sh\nkeep: redis\n", 2, "keep"),
        # The line of the value itself, among others of its mapping or list.
        ("command: sh\nenvironment:\n  A: a\n  DEBUG: yes\n", 4, "environment.DEBUG: Expected `str`, got `bool`"),
        ("command:\n- sh\n- -p\n- 8080\n", 4, "command[2]: Expected `str`, got `int`"),
        ("command: sh\nsecrets:\n  a: [k]\n  b: {k: v, n: 5}\n", 4, "secrets.b.n: Expected `str`"),
        ("command: sh\nvariables: {database: DATABASE_URL}\n", 2, "a mapping of keys is wanted here"),
        ("command: sh\nvariables: {auth: {host: A}}\n", 2, "the name of an environment variable is wanted here"),
        ("command: sh\nvariables:\n  database: {url: A, form: [a, b]}\n", 3, "nothing fills"),
        ("command: sh\nvariables:\n  database: {url: A, form: 'x{user.name}'}\n", 3, "nothing fills"),
        ("command: sh\nfolder: circle\n", 2, "cannot be looked at"),
        ("command: sh\nmanifests: circle\n", 2, "cannot be looked at"),
        (f"command: sh\nopenapi: {'x' * 300}\n", 2, "cannot be looked at"),
    ],
)
def test_a_bad_file_names_its_line(folder: Path, text: str, line: int | None, says: str) -> None:
    (folder / "circle").symlink_to("circle")
    with pytest.raises(BadInput) as refused:
        resolve(write(folder, text))
    said = str(refused.value)
    assert says in said, said
    assert f"target.yaml{f':{line}' if line else ''}" in said, said
    assert refused.value.remedy
    assert english_of(refused.value) == []


def test_a_home_folder_that_is_not_known_names_its_line(folder: Path) -> None:
    with pytest.raises(BadInput) as refused:
        resolve(write(folder, "command: sh\nmanifests: ~nobody-of-this-name/m\n"))
    assert refused.value.where.endswith("target.yaml:2, manifests")


def test_a_target_gets_the_contract_and_what_a_program_needs_of_the_machine() -> None:
    """And nothing of ours."""
    endpoints = all_at(storage=NOWHERE)
    container = manifests().deployment.template.containers[0]
    target = Target(name="t", command=("x",))
    made = environment.of_target(container, target, endpoints, pod="p", port=2, database_port=3)
    assert made.keys() - environment.machine().keys() == CONTRACT


def test_an_image_is_a_target_of_the_kind_rung_alone() -> None:
    target = resolve("image:walk-api:dev")
    assert (target.image, target.command, target.bundled) == ("walk-api:dev", (), False)
    assert choose(AUTO, target).rung is EnvironmentKind.KIND
    with pytest.raises(BadInput, match="cannot run the image"):
        choose("local", target)
    with pytest.raises(BadInput, match="names no image"):
        resolve("image:")


def test_a_command_of_this_machine_stays_on_local_by_default() -> None:
    assert choose(AUTO, resolve("true")).rung is EnvironmentKind.LOCAL
