"""Defaults from rehearsal.toml and the environment: what goes over what, what is refused and where it says so."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import BadInput
from harness.cli.main import parse
from harness.run.command import given, replay

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the file above the working folder, at whose lines errors point."""
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")

    def written(text: str) -> Path:
        path = tmp_path / "rehearsal.toml"
        path.write_text(text)
        return path

    return written


def run(*words: str) -> Any:
    return parse(["run", "rollout_week3", *words])


def test_the_command_line_goes_over_the_environment_over_the_file(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('on = "kind"\nseed = 3\nlang = "ja"\n[run]\nseed = 4\nwindow = "60s"\nfault = ["errors=1%", "errors=2%"]\n')
    found = run()
    assert (found.on, found.seed, found.lang, str(found.window)) == ("kind", 4, "ja", "60s")
    assert found.fault == ("errors=1%", "errors=2%")
    monkeypatch.setenv("TEKUTOKO_OPTION_SEED", "5")
    monkeypatch.setenv("TEKUTOKO_OPTION_FAULT", "errors=3% 'latency=600ms:10%'")
    assert (run().seed, run().fault) == (5, ("errors=3%", "latency=600ms:10%"))
    typed = run("--seed", "6", "--fault", "errors=4%", "--on", "auto")
    assert (typed.seed, typed.fault, typed.on, typed.lang) == (6, ("errors=4%",), "auto", "ja")
    other: Any = parse(["scaling"])
    assert (other.seed, other.on) == (5, "kind")


def test_only_a_cluster_is_kept_wherever_runs_go(write: Write) -> None:
    write('on = "local"\n')
    kept: Any = parse(["stack", "keep"])
    assert kept.on == "kind"
    with pytest.raises(BadInput, match=r"--on.*'local'.*kind"):
        parse(["stack", "keep", "--on", "local"])


def test_the_nearest_file_upward_counts(write: Write) -> None:
    write("seed = 3\n")
    Path("rehearsal.toml").write_text("seed = 9\n")
    assert run().seed == 9
    Path("rehearsal.toml").unlink()
    assert run().seed == 3


def test_a_replay_says_the_effective_options_whole_and_needs_no_default(write: Write) -> None:
    path = write('on = "kind"\nseed = 3\nservice-port = 2000\n[load_stages]\nworkers = 4\n')
    typed = parse(["load_stages", "--workers", "1", "--seed", "7"])
    line = shlex.split(replay(typed))
    assert {"--on", "kind", "--seed", "7", "--service-port", "2000", "--no-defaults"} <= set(line)
    path.write_text('on = "local"\nworkers = 8\nmanifests = "elsewhere"\n')
    again = parse(line[3:])
    assert again == typed and again.workers == 1  # type: ignore[attr-defined]
    path.unlink()
    assert "--no-defaults" not in replay(parse(["load_stages"]))


def test_a_switch_is_taken_back(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("signals-at-once = true\n")
    assert run().signals_at_once and not run("--no-signals-at-once").signals_at_once
    monkeypatch.setenv("TEKUTOKO_OPTION_SIGNALS_AT_ONCE", "false")
    assert not run().signals_at_once and run("--signals-at-once").signals_at_once


def test_what_a_command_must_be_told_may_be_a_default(write: Write) -> None:
    write('[reconcile]\ndirection = "postgresql_to_firestore"\n')
    assert given(parse(["reconcile"])) == ["no_defaults", "direction"]


def test_paths_are_those_of_the_files_folder(write: Write, tmp_path: Path) -> None:
    write('manifests = "mine"\nreports = "out"\ntarget = "./walk-api --fast"\n')
    (tmp_path / "walk-api").touch()
    found = run()
    assert (found.manifests, found.reports) == (tmp_path / "mine", tmp_path / "out")
    assert found.target == f"{tmp_path / './walk-api'} --fast" and run("--target", "./x").target == "./x"


@pytest.mark.parametrize(
    ("default", "words", "option"),
    [
        ("signals-at-once = true", "run rollout_week3 --on kind", "signals_at_once"),
        ("points = 50", "dr_restore --only disasters", "points"),
        ('on = "kind"', "dr_restore --only disasters", "on"),
        ('pods = "2,4"', "load_stages --only users", "pods"),
        ("quick = true", "load_stages --only knee", "quick"),
        ("deletions = true", "migrate --dry-run", "deletions"),
        ('namespace = "walks"', "operations daily --own-stack", "namespace"),
        ("scale = 1", "alert_drill --of latest", "scale"),
    ],
)
def test_a_default_that_nothing_would_read_says_nothing_and_typed_it_stands(
    default: str, words: str, option: str, write: Write
) -> None:
    plain: Any = parse(words.split())
    write(f"{default}\n")
    found: Any = parse(words.split())
    assert getattr(found, option) == getattr(plain, option) and found.no_defaults
    key, _, value = default.partition(" = ")
    typed: Any = parse([*words.split(), f"--{key}", *([] if value == "true" else [value.strip('"')])])
    assert getattr(typed, option) != getattr(plain, option)
    with pytest.raises(BadInput):
        typed.run() if words.startswith("migrate") else (typed.planned(), typed.resolved())


def test_a_default_that_is_read_counts(write: Write) -> None:
    write("signals-at-once = true\npoints = 50\n")
    assert run("--on", "local").signals_at_once
    found: Any = parse(["dr_restore", "--only", "points"])
    assert found.points == 50


def test_a_resumed_rollout_goes_on_as_it_was_begun(write: Write) -> None:
    write('lang = "ja"\nwindow = "60s"\non = "kind"\n')
    resumed: Any = parse(["rollout", "--resume", "latest"])
    assert (resumed.lang, resumed.window, resumed.on) == ("ja", None, "auto")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("seed = 3\n\nwindw = '9s'\n", 3, "windw: no command reads it; did you mean 'window'?"),
        ("[scaling]\nseed = 1\nwindow = '9s'\n", 3, "window: scaling does not read it"),
        ("[run]\nseed = 1\n[roolout]\nseed = 1\n", 3, "[roolout]: no such command; did you mean 'rollout'?"),
        ("[stack.upp]\ndetach = true\n", 1, "[stack upp]: no such command; did you mean 'stack up'?"),
        ("lang = 'ja'\nseed = 'many'\n", 2, "--seed: 'many' is no whole number"),
        ("on = 'moon'\n", 1, "--on: 'moon' is none"),
        ("signals-at-once = 'perhaps'\n", 1, "--signals-at-once is true or false"),
        ("seed = [1, 2]\n", 1, "--seed takes one value"),
        ("yes-use-this-cluster = true\n", 1, "--yes-use-this-cluster is a consent, and no default"),
        ("scenario = 'rollout_week1'\n", 1, "scenario: no command reads it"),
        ("seed = 1\n[scaling]\nseed = 2\n[[run]]\nseed = 3\n", 4, "[[run]] is a list of tables"),
        ("[[rollout]]\nseed = 3\n", 1, "[[rollout]] is a list of tables"),
        ("[[stack.up]]\ndetach = true\n", 1, "[[stack.up]] is a list of tables"),
        ("seed = 7.0\n", 1, "--seed: '7.0' is no whole number"),
        ("seed = []\n", 1, "--seed takes one value"),
        ("window = 120\n", 1, "--window: '120' has no unit of time"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(text: str, line: int, says: str, write: Write) -> None:
    path = write(text)
    with pytest.raises(BadInput) as caught:
        run()
    assert says in caught.value.what and caught.value.where == f"{path}:{line}" and caught.value.remedy


@pytest.mark.parametrize(
    ("raw", "says"), [(b"seed = \n", "line 1"), (b"lang = '\xff'\n", "utf-8"), (b"seed = " + b"[" * 5_000, "read")]
)
def test_a_file_that_is_none_is_named(raw: bytes, says: str, write: Write) -> None:
    path = write("")
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=says) as caught:
        run()
    assert caught.value.where == str(path) and "--no-defaults" in caught.value.remedy


@pytest.mark.parametrize("text", ['"', "errors=1% 'latency", "errors=1% \\"])
def test_a_variable_of_several_words_with_an_open_quote_is_told(
    text: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("")
    monkeypatch.setenv("TEKUTOKO_OPTION_FAULT", text)
    with pytest.raises(BadInput, match="is no command line: No ") as caught:
        run()
    assert (caught.value.where, caught.value.remedy) == ("the variable TEKUTOKO_OPTION_FAULT", "close the quotes")


def test_a_variable_that_no_command_reads_is_named_and_others_of_ours_are_left_alone(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("")
    monkeypatch.setenv("TEKUTOKO_RUN_ID", "a")
    monkeypatch.setenv("TEKUTOKO_OPTION_DETACH", "true")  # of another command
    assert given(run()) == ["scenario"]
    monkeypatch.setenv("TEKUTOKO_OPTION_SED", "3")
    with pytest.raises(BadInput, match="did you mean 'seed'") as caught:
        run()
    assert caught.value.where == "the variable TEKUTOKO_OPTION_SED"


def test_no_defaults_reads_neither(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("nonsense")
    monkeypatch.setenv("TEKUTOKO_OPTION_SEED", "3")
    assert run("--no-defaults").seed == 1
