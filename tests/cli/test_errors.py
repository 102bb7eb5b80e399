"""What a command ends with where it cannot be carried out: in the language that is asked for, whoever finds it wrong."""

from __future__ import annotations

import ast
import errno
from pathlib import Path

import pytest

from harness.base.data import ROOT
from harness.base.errors import BadInput, Exit, StackNotStarted
from harness.cli.main import main, parse
from harness.cli.messages import of_errors
from harness.migration.source import of_environment, refusal
from harness.migration.telling import write
from harness.model.message import Message, message, whole
from harness.report.language import Language, asked_for, language
from harness.stack.kind.ground import KEPT, kept_cluster
from tests.report.marking import MARKING

HARNESS = ROOT / "harness"
#: What reads what a command is given.
OF_COMMANDS = [
    *(path for name in ("cli", "rehearsal", "base", "signoff", "report") for path in (HARNESS / name).rglob("*.py")),
    *(HARNESS / "rehearsals").glob("*/command.py"),
    *(HARNESS / "migration").glob("*.py"),
    HARNESS / "stack" / "kube" / "access.py",
    HARNESS / "stack" / "kind" / "config.py",
]
PLAN = (Path(__file__).parents[2] / "scenarios" / "plans" / "network.yaml").read_text()


@pytest.fixture(autouse=True)
def _marking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("harness.report.language.language", lambda _: MARKING)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("rn", "<'rn' is no command<; did you mean 'run'?>>\n  where: <python3 -m harness>"),
        ("", "<a command is required>"),
        ("list --jsn", "<list takes --json and nothing else, not --jsn --lang ja>"),
        ("run rollout_week3 --seeed 3", "to do: <<--help shows what it takes><; did you mean '--seed'?>>"),
        ("run", "<the following arguments are required: SCENARIO>"),
        ("run rollout_week3 --seed", "<argument --seed: <expected one argument>>"),
        ("run rollout_week3 --seed x", "<argument --seed: <'x' is no whole number>>"),
        ("run rollout_week3 --fault foo", "<--fault 'foo': <'foo' is no fault>>\n  where: <--fault>>\n  to do: <the forms are: "),
        ("run rollout_week3 --fault pod_kill", "<pod_kill is an experiment>>\n  where: <--fault>>\n  to do: <run it with `"),
        ("cost --of x", "<there is no stored run 'x'>\n  where: <--of>>\n  to do: <name a folder with a result.json>"),
        ("load_stages --workers 99", "<argument --workers: <99 is not within 1.."),
        ("run rollout_week3 --window 5x", "<'5x': 'x' is no unit of time (ms, s, min, h, d)>; write for example '120s'>"),
        ("run rollout_week3 --on kindd", "<invalid choice: 'kindd' (choose from auto, local, kind, kube, sim)<; did"),
        ("run rollout_wek3", "<no scenario is called 'rollout_wek3'<; did you mean 'rollout_week3'?>>"),
        ("chaos --only pod_kil", "<'pod_kil' is none<; did you mean 'pod_kill'?>>"),
        ("run rollout_week3 --target ./nothing", "nothing is not there>\n  where: <--target>>\n  to do: <build it first"),
        ("judge nothing", "<there is no run 'nothing'>"),
        ("scaling --plan nothing.yaml", "<cannot read nothing.yaml: No such file or directory>"),
    ],
)  # fmt: skip
def test_an_error_is_said_in_the_language_that_is_asked_for(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), *(["--lang", "ja"] if words and words != "run" else [])]) == Exit.USAGE
    said = capsys.readouterr().err
    assert said.startswith("<error: <") and told in said


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (KeyboardInterrupt, Exit.INTERRUPTED, "<interrupted>\n"),
        (
            ZeroDivisionError,
            Exit.INTERNAL,
            "<internal error: please keep the report's folder and tell the maintainers>\n",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/cache/runs"),
            Exit.RUN_BROKEN,
            "<a disk is full, or may not be written>\n  where: </cache/runs: No space left on device>>\n"
            "  to do: <make room there, or let it be written, and run again>>>\n",
        ),
    ],
)
def test_an_ending_that_is_no_command_s_own_is_said_in_that_language(
    raised: type[BaseException] | BaseException,
    status: Exit,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ends(_: object) -> int:
        raise raised

    monkeypatch.setattr("harness.cli.doctor.Doctor.run", ends)
    assert main(["doctor", "--lang", "ja"]) == status
    assert capsys.readouterr().err.endswith(told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rate: 10/s", "rate: ten", "<'ten' is not <a number of 1/s>>"),
        ("rate: 10/s", "rates: 10/s", "<unknown key 'rates'<; did you mean 'rate'?>>"),
        ("rate: 10/s", "rate: 1000/s", "<'1000/s' is out of range< (<above 0, at most 50/s>)>>"),
    ],
)
def test_a_plan_is_refused_by_file_and_line_in_that_language(
    old: str, new: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace(old, new))
    assert main(["network", "--plan", str(path), "--lang", "ja"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert told in said and f"  where: <{path}:" in said and "  to do: <" in said


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: walk}
spec:
  selector: {matchLabels: {app: walk}}
  template:
    metadata: {labels: {app: walk}}
    spec:
      containers:
      - {name: api, image: "walk:v1"}
"""
ALL = "resources: [all.yaml]\n"


@pytest.mark.parametrize(
    ("files", "told", "where", "remedy"),
    [
        ({}, "ownにkustomization.yamlがない", "own", "マニフェストを並べたものを追加する（例: `resources: ["),
        ({"kustomization.yaml": ALL, "kustomization.yml": ALL}, "ownにkustomization.yamlとkustomization.ymlがある", "own",
         "一つを残す"),
        ({"kustomization.yaml": f"{ALL}helmCharts: []\n"}, "helmCharts: Helmのチャートは展開しない",
         "own/kustomization.yaml:2, helmCharts", "`kubectl`はHelmのチャートを展開せず、"),
        ({"kustomization.yaml": ALL, "all.yaml": DEPLOYMENT}, "Deployment/walkのPodにつながるServiceがない。ここにあるService: なし",
         "own/all.yaml:1, Deployment/walk", "そのセレクタは、Podのテンプレートのラベルに含まれなければならない。ラベルは{'app': 'walk'}"),
    ],
)  # fmt: skip
def test_a_folder_of_manifests_is_refused_in_japanese(
    files: dict[str, str], told: str, where: str, remedy: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("harness.report.language.language", language)
    Path("own").mkdir()
    for name, text in files.items():
        (Path("own") / name).write_text(text)
    assert main(["run", "rollout_week3", "--on", "sim", "--manifests", "own", "--lang", "ja"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert f"エラー: {told}\n  場所: {where}\n  対処: {remedy}" in said


@pytest.mark.process
def test_what_kubectl_refuses_is_told_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.report.language.language", language)
    Path("own").mkdir()
    Path("own", "kustomization.yaml").write_text(f"{ALL}replicas: [{{name: x, count: 1}}]\n")
    Path("own", "all.yaml").write_text(DEPLOYMENT)
    assert main(["run", "rollout_week3", "--on", "sim", "--manifests", "own", "--lang", "ja"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert "エラー: `kubectl kustomize`がそのフォルダを拒否した: resource with name x does not match" in said
    assert "\n  場所: own/kustomization.yaml:2\n  対処: フォルダを直す" in said


@pytest.mark.parametrize(
    ("words", "text", "told"),
    [
        ("run rollout_week3 --target", "command: [sh]\nenvironment: {POD_NAME: a}\n",
         "'POD_NAME'はリハーサルが決める\n  場所: mine.yaml:2, environment.POD_NAME\n  対処: 外す\n"),
        ("conformance --openapi", "openapi: 2.0.0\n",
         "`openapi`のバージョン: 2.0.0\n  場所: mine.yaml:1\n  対処: OpenAPI 3.0か3.1で書く\n"),
    ],
)  # fmt: skip
def test_a_file_of_the_target_is_refused_in_japanese(
    words: str, text: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.report.language.language", language)
    Path("mine.yaml").write_text(text)
    assert main([*words.split(), "mine.yaml", "--lang", "ja"]) == Exit.USAGE
    nothing = language("ja")("nothing was run")
    assert capsys.readouterr().err.endswith(f"エラー: {told}  {nothing}\n")


def test_the_language_is_that_of_the_words_of_the_variable_or_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as they can be read: where an option is wrong, the file's was not come to."""
    variable = {"TEKUTOKO_OPTION_LANG": "ja"}
    assert [asked_for(each, {}) for each in (["--lang", "ja"], ["--lang=ja"], ["--lang", "fr"], ["--lang"])] == [
        "ja", "ja", "en", "en",
    ]  # fmt: skip
    assert asked_for([], variable) == "ja" and asked_for(["--lang", "en"], variable) == "en"
    spoken: list[str] = []

    def spoken_by(code: str) -> Language:
        spoken.append(code)
        return MARKING

    monkeypatch.setattr("harness.report.language.language", spoken_by)
    (tmp_path / "rehearsal.toml").write_text('lang = "ja"\n')
    assert main(["judge", "nothing"]) == Exit.USAGE and spoken == ["ja"]


def test_all_that_an_error_says_is_one_message_that_is_its_own_text_in_english() -> None:
    for error in (
        BadInput("plain"),
        BadInput("it {is} so", where="here", remedy="do {that}"),
        StackNotStarted(message("{port} is taken", port="80"), where=message("at {host}", host="h"), remedy="end it"),
        StackNotStarted(message("x"), remedy=message("as {it}", it=message("is"))),
    ):
        assert str(whole(error)) == str(error)
    said = MARKING.message(whole(BadInput("plain {x}", where="here", remedy=message("do {it}", it="this"))))
    assert said == "<<<plain {x}>\n  where: <here>>\n  to do: <do this>>"
    told = Message(text="plain {x}")
    assert (MARKING.message(told), str(told)) == ("<plain {x}>", "plain {x}")


def test_plain_words_of_errors_are_found_to_be_translated() -> None:
    """Also of either branch, and of what is named first; not what has places, and nothing of other calls."""
    source = """
raise BadInput("what", where="where", remedy="a" if x else "b")
raise Own("own", remedy=f"c {d}")
remedy = "named"
raise RuleError("rule", "key", remedy="with {place}")
docker("pull", "x", remedy=remedy)
rate = msgspec.Meta(gt=0, description="above 0")
print("nothing")
"""
    assert {text for _, text in of_errors(source)} == {"what", "a", "b", "own", "named", "rule", "above 0"}


@pytest.mark.parametrize(
    "words",
    [
        "run rollout_week3 --seed -1",
        f"run rollout_week3 --seed {'9' * 230}",
        "run rollout_week3 --window -5s",
        "run rollout_week3 --pace -1s",
        "run rollout_week3 --fault foo",
        "run rollout_week3 --fault errors=5%@500s",
        "run rollout_week3 --on local --context mine",
        "run rollout_week3 --on kube",
        "run rollout_week3 --on kind --signals-at-once --no-defaults",
        "rollout --resume latest",
        "chaos_nightly --least 100 --count 3",
        "chaos --list --seed 3",
        "load_stages --pods 2,x",
        "load_stages --workers 7",
        "dr_restore --sizes 1x",
        "operations daily",
        "operations daily --namespace here",
        "operations daily --own-stack --context mine",
        "alert_drill --of latest --scale 2",
        "migration_drill --migrator '",
        "stack up --on sim",
        "signoff --short",
        "signoff --reports nowhere",
        "signoff --digest foo",
        "migrate",
        "migrate --settle -1s",
        "migrate --endpoints nosuch",
        "migrate --endpoints empty",
        "migrate --anew --changed",
        "migrate --from-environment --stack x",
        "reconcile --direction postgresql_to_firestore --stack x --endpoints y",
        "compare latest",
        "cost --of x",
        "migration_drill --pace 0s",
        "migrate --time-zone Asia",  # a folder of zones
        "check --json \udcff.yaml",  # as argv has a byte that is no UTF-8
        "check a\0b",
        *(
            f"{command}{'n' * 300}"  # as of a folder that this user may not look into
            for command in (
                "judge ",
                "report ",
                "compare latest ",
                "judge x --reports ",
                "cost --of ",
                "scaling --plan ",
                "infrastructure --repository ",
                "alert_drill --alerts ",
                "run rollout_week3 --manifests ",
                "run rollout_week3 --on local --target ./",
                "run rollout_week3 --on kube --context x --kubeconfig ",
                "rollout --resume ",
            )
        ),
    ],
)
def test_every_error_of_the_command_line_says_where_and_what_to_do(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").touch()
    assert main(words.split()) == Exit.USAGE
    said = capsys.readouterr().err
    assert "\n  where: " in said and "\n  to do: " in said


def test_a_working_folder_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(["judge", "latest"]) == Exit.USAGE
    assert "the working folder cannot be looked at" in capsys.readouterr().err


def test_every_bad_input_of_the_command_line_is_made_with_what_to_do() -> None:
    """Where it was, ``main`` knows where the error does not: the command."""
    told = {path: without_remedy(path.read_text()) for path in OF_COMMANDS}
    assert not {str(path): lines for path, lines in told.items() if lines}


def without_remedy(source: str) -> list[int]:
    made = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    bad = [node for node in made if ast.unparse(node.func) == "BadInput"]
    return [node.lineno for node in bad if not {"remedy", None} & {each.arg for each in node.keywords}]


# -- where it was written, and what may have been meant -------------------------------------------------------------------


def test_a_mistyped_variable_of_the_contract_is_told_with_the_one_that_is_missing() -> None:
    good = {"DB_HOST": "h", "DB_USER": "u", "DB_NAME": "d", "FIREBASE_PROJECT_ID": "p"}
    with pytest.raises(BadInput, match=r"DB_HOST is not set; did you mean 'DB_HSOT'\?") as refused:
        of_environment({**good, "DB_HOST": "", "DB_HSOT": "h"})
    assert refused.value.where == "the environment"
    with pytest.raises(BadInput, match=r"DB_SSLMODE: 'verify' is none of disable, .*; did you mean 'verify-ca'\?"):
        of_environment({**good, "DB_SSLMODE": "verify"})


def test_a_word_of_the_file_or_of_a_variable_is_told_with_its_place_and_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rehearsal.toml").write_text('\nlang = "jaa"\n')
    with pytest.raises(BadInput, match=r"argument --lang: 'jaa' is none; did you mean 'ja'\?") as refused:
        parse(["run", "rollout_week3"])
    assert refused.value.where.endswith("rehearsal.toml:2")
    (tmp_path / "rehearsal.toml").unlink()
    monkeypatch.setenv("TEKUTOKO_OPTION_SED", "3")
    with pytest.raises(BadInput, match=r"sed: no command reads it; did you mean 'seed'\?") as refused:
        parse(["run", "rollout_week3"])
    assert refused.value.where == "the variable TEKUTOKO_OPTION_SED"


def test_a_cluster_s_name_that_is_none_is_told_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEPT, "Not A Name")
    with pytest.raises(BadInput, match="cannot name a cluster") as refused:
        kept_cluster()
    assert refused.value.where == f"the variable {KEPT}"


def test_a_file_of_rejects_that_cannot_be_written_is_told_and_no_defect_of_ours(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="the file of what was refused cannot be written: Is a directory") as refused:
        write([refusal("walks/x", message("is absent"), "title")], tmp_path)
    assert getattr(refused.value, "exit", None) is Exit.RUN_BROKEN


@pytest.mark.parametrize(("code", "status"), [(None, 0), (0, 0), (2, 2)])
def test_a_command_that_cannot_go_on_where_its_packages_are_ends_in_its_status(
    code: int | None, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without a package index: nothing done is not green. argparse ends so behind a command's help, too."""

    def ends(_: object) -> int:
        raise SystemExit(code)

    monkeypatch.setattr("harness.cli.undo.Undo.run", ends)
    assert main(["undo"]) == status
