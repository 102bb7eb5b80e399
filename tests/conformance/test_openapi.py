"""The team's own OpenAPI file: files of several styles read and planned, refused with their line, and what they decide."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.errors import BadInput, Exit
from harness.checks.contract.http import HttpExchange
from harness.checks.contract.rules import FileRule, Rules
from harness.checks.contract.run import CheckRun, Deviation, DeviationKind, Grade, SentenceSource, SourceKind
from harness.checks.contract.runner import by_file
from harness.cli.main import main
from harness.model.stack import Address
from harness.rehearsals.conformance.checks import ALL
from harness.rehearsals.conformance.fuzz import command
from harness.rehearsals.conformance.openapi.plan import _RATES, OpenApiPlan
from tests.conformance.front import Answer, Call, refusal
from tests.conformance.in_process import Plant, Target, checked
from tests.conformance.outcomes import Outcome, holding, outcome
from tests.report.marking import english_of

CORPUS = Path(__file__).resolve().parents[1] / "openapi"
ALL_FIVE = {"list", "create", "get", "put", "delete"}
SEVERAL = "several/openapi.yaml"
#: What each file decides otherwise than the contract, and the text of the line that says so.
DECIDED: dict[str, dict[str, tuple[object, str]]] = {
    "by-hand.yaml": {},
    "generated.json": {"walk.nullable": (("user_id",), '"user_id"')},
    "minimal.yaml": {},
    "all-of.yaml": {
        "create.title.maxLength": (120, "maxLength: 120"),
        "create.description.maxLength": (400, "maxLength: 400"),
        "walk.optional": (("polyline_data",), "required: [title]"),
        "walk.nullable": (("description",), "description: {type: string, nullable: true}"),
    },
    "base-path.yaml": {"list.limit.maximum": (50, "maximum: 50"), "rate_limit": (60, "x-rate-limit: 60")},
    "contradicting.yaml": {
        "create.status": (200, "'200': {description: made}"),
        "create.title.maxLength": (100, "maxLength: 100"),
        "list.limit.maximum": (50, "maximum: 50"),
        "rate_limit": (300, "description: More than 300"),
    },
    SEVERAL: {
        "create.title.maxLength": (120, '"Title": {"type": "string", "maxLength": 120}'),
        "create.description.maxLength": (400, '"maxLength": 400'),
        "put.title.maxLength": (120, '"Title": {"type": "string", "maxLength": 120}'),
        "list.limit.maximum": (50, "minimum: 1, maximum: 50"),
        "walk.optional": (("description", "total_distance"), "required: [id, title]"),
        "walk.nullable": (("description",), "description: {type: string, nullable: true}"),
    },
}
LACKING = {"all-of.yaml": {"list", "put", "delete"}, "contradicting.yaml": {"delete"}, SEVERAL: {"delete"}}


def test_the_corpus_is_what_is_looked_at() -> None:
    assert {path.name for path in CORPUS.iterdir()} == {Path(name).parts[0] for name in DECIDED}


@pytest.mark.parametrize("name", DECIDED)
def test_a_file_is_read_and_planned(name: str) -> None:
    plan = OpenApiPlan(CORPUS / name)
    assert set(plan.operations) == ALL_FIVE - LACKING.get(name, set())
    assert {rule: each.value for rule, each in plan.rules.decided.items()} == {
        rule: value for rule, (value, _) in DECIDED[name].items()
    }
    for rule, (_value, said) in DECIDED[name].items():
        file, _, line = plan.rules.decided[rule].place.rpartition(":")
        assert said in Path(file).read_text().splitlines()[int(line) - 1], rule
        assert file == str(CORPUS / name) or (name == SEVERAL and CORPUS / "several" in Path(file).parents)
    told = {each.id: each for each in plan.differences()}
    assert set(told) == {f"openapi.differs.{rule}" for rule in DECIDED[name]} | {
        f"openapi.operations.{each}" for each in LACKING.get(name, set())
    }
    assert all(outcome(each) is Outcome.ADVICE and each.source is not None for each in told.values())
    plan.answers()


HEAD = 'openapi: 3.0.3\ninfo: {title: t, version: "1"}\npaths:\n  /v1/walks:\n    get:\n      responses:\n'
GOOD = f"{HEAD}        '200': {{description: ok}}\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("swagger: '2.0'\n", 1, "openapi is missing"),
        ("openapi: 2.0.0\n", 1, "openapi is 2.0.0"),
        (f"{HEAD}        '200': {{}}\n", 7, "is not valid under any of the schemas"),
        (GOOD.replace('"1"', "1.0"), 2, "1.0 is not of type"),
        (f"{HEAD}        '200': {{$ref: '#/components/responses/Ok'}}\n", 7, "leads nowhere"),
        (f"{HEAD}        '200': {{$ref: 'other.yaml#/Ok'}}\n", 7, "leads to no file"),
        (f"{HEAD}        '200': {{$ref: '../other.yaml#/Ok'}}\n", 7, "leads out of the folder"),
        (f"{HEAD}        '200': {{$ref: /etc/passwd}}\n", 7, "leads out of the folder"),
        (f"{HEAD}        '200': {{$ref: 'https://example.com/ok.yaml'}}\n", 7, "nothing is fetched"),
        (f"{HEAD}        '200': {{$ref: '//example.com/ok.yaml'}}\n", 7, "nothing is fetched"),
        (f"{HEAD}        '200': {{$ref: 'file:///etc/passwd'}}\n", 7, "leads out of the folder"),
        (f"{HEAD}        '200': {{$ref: 'a%00b'}}\n", 7, "leads out of the folder"),
        (f"{HEAD}        '200': {{$ref: '#Ok'}}\n", 7, "names no path"),
        (f"{GOOD}components: {{schemas: {{A: {{$ref: '#/components/schemas/A'}}}}}}\n", 8, "leads round"),
        (f"{GOOD}    get: {{}}\n", 8, "given twice"),
        (GOOD.replace("/v1/walks", "/v1/dogs"), 3, "no path of it looks like"),
        (f"{HEAD}        '200': [\n", 8, "not YAML"),
        ("- 1\n", 0, "one mapping"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(text: str, line: int, says: str, tmp_path: Path) -> None:
    file = tmp_path / "theirs.yaml"
    file.write_text(text)
    with pytest.raises(BadInput, match=re.escape(says)) as refused:
        OpenApiPlan(file)
    assert refused.value.remedy
    assert english_of(refused.value) == []
    assert re.match(rf"{re.escape(str(file))}{f':{line}' if line else ''}\b", refused.value.where), refused.value.where


@pytest.mark.parametrize(
    ("files", "where", "says"),
    [
        ({"more.yaml": "Ok: {description: 1}\n"}, "more.yaml:1", '{"description":1} is not valid under any'),
        ({"more.yaml": "Other: {}\n"}, "theirs.yaml:7", "leads nowhere"),
        ({"more.yaml": "Ok: {$ref: '#/Ok'}\n"}, "more.yaml:1", "leads round"),
        ({"more.yaml": "Ok: {$ref: '../up.yaml'}\n"}, "more.yaml:1", "leads out of the folder"),
        ({"more.yaml": "Ok: [\n"}, "more.yaml:2", "not YAML"),
        ({"more.yaml": "Ok: {description: ok, headers: {$ref: more.yaml}}\n"}, "more.yaml:1", "leads round"),
        ({"more.yaml": "Ok: {description: ok, headers: {A: {$ref: 'a.yaml'}}}\n", "a.yaml": "- 1\n"}, "a.yaml", "one"),
        ({"more.yaml": "Ok: {$ref: 'theirs.yaml#/components/x'}\n"}, "more.yaml:1", "leads nowhere"),
    ],
)
def test_another_file_is_refused_with_its_own_line(
    files: dict[str, str], where: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "theirs.yaml").write_text(f"{HEAD}        '200': {{$ref: 'more.yaml#/Ok'}}\n")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=re.escape(says)) as refused:
        OpenApiPlan(tmp_path / "theirs.yaml")
    assert refused.value.where == str(tmp_path / where) and refused.value.remedy
    assert english_of(refused.value) == []


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("Ok: {description: ok}\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "more.yaml").symlink_to(tmp_path / "outside.yaml")
    (inside / "theirs.yaml").write_text(f"{HEAD}        '200': {{$ref: 'more.yaml#/Ok'}}\n")
    with pytest.raises(BadInput, match="leads out of the folder"):
        OpenApiPlan(inside / "theirs.yaml")
    (inside / "more.yaml").unlink()
    (inside / "more.yaml").write_text("Ok: {description: ok}\n")
    assert set(OpenApiPlan(inside / "theirs.yaml").operations) == {"list"}


def test_files_that_take_each_others_place_again_and_again_are_refused(tmp_path: Path) -> None:
    """Each names the next twice: 25 files of two lines would make 30 million values."""
    for number in range(25):
        twice = f"{{a: {{$ref: f{number + 1}.yaml}}, b: {{$ref: f{number + 1}.yaml}}}}"
        (tmp_path / f"f{number}.yaml").write_text(f"x-a: {twice}\n")
    (tmp_path / "f25.yaml").write_text("x-a: 1\n")
    (tmp_path / "theirs.yaml").write_text(f"{GOOD}x-parts: {{$ref: f0.yaml}}\n")
    with pytest.raises(BadInput, match="too often"):
        OpenApiPlan(tmp_path / "theirs.yaml")


def test_answers_are_held_to_a_schema_of_another_file_and_the_fuzzer_gets_one_file(tmp_path: Path) -> None:
    def short(target: Target) -> None:
        def change(call: Call, answered: Answer) -> None:
            if call.method == "GET" and call.of_walk and answered.status == 200:
                body = answered.json | {"came_from": {"id": 7, "title": "Kamo"}}
                answered.says(body)

        target.front.after.append(change)

    ids = ("walks.get.body", "walks.create.status", "listing.body")
    good = run(SEVERAL, tmp_path, ids=ids)
    assert {outcome(good[f"openapi.answers.{name}"]) for name in ("create", "get", "list")} == {Outcome.PASSED}
    wrong = run(SEVERAL, tmp_path, short, ids=ids)["openapi.answers.get"]
    assert outcome(wrong) is Outcome.DEVIATION and str(wrong.deviation.got).startswith(
        "came_from/id: 7 is not of type 'string'"
    )
    assert wrong.source is not None and wrong.source.place == f"{CORPUS / 'several' / 'schemas' / 'walk.yaml'}:1"
    plan = OpenApiPlan(CORPUS / SEVERAL)
    whole = plan.for_others(tmp_path)
    alone = OpenApiPlan(whole)
    assert alone.file.data == plan.file.data and alone.for_others(tmp_path / "nowhere") == whole


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100 requests per minute", "100"),
        ("at most 1,200 req/min for each user", "1,200"),
        ("1分あたり300リクエストまで", "300"),
        ("300リクエスト/分", "300"),
        ("毎分60回", "60"),
        ("retry after 60 seconds", None),
        ("the 429 of a user", None),
    ],
)
def test_a_rate_is_read_from_a_sentence(text: str, rate: str | None) -> None:
    assert next((hit[1] for pattern in _RATES if (hit := pattern.search(text))), None) == rate


TRIED = (
    "limits.title.post.beyond",
    "limits.title.post.largest",
    "limits.limit.beyond",
    "limits.limit.ends",
    "limits.description.post.beyond",
    "rate_limit.limit",
    "rate_limit.code",
    "walks.create.status",
    "walks.get.body",
)


def run(name: str, tmp_path: Path, *plants: Plant, ids: tuple[str, ...] = TRIED) -> dict[str, Any]:
    return checked([check for check in ALL if check.id in ids], plants, tmp_path, plan=OpenApiPlan(CORPUS / name))


def keeps_its_file(target: Target) -> None:
    """As ``contradicting.yaml`` says."""
    target.settings = msgspec.structs.replace(target.settings, rate_limit_per_minute=300)

    def ask(call: Call) -> Answer | None:
        body = call.json if call.asks("POST") else None
        long = isinstance(body, dict) and len(str(body.get("title"))) > 100
        return refusal(400) if long or (call.asks("GET") and "limit=51" in call.query) else None

    def answer(call: Call, answered: Answer) -> None:
        answered.status = 200 if answered.status == 201 else answered.status

    target.front.before.append(ask)
    target.front.after.append(answer)


def test_a_target_that_keeps_its_own_file_breaks_nothing(tmp_path: Path) -> None:
    found = run("contradicting.yaml", tmp_path, keeps_its_file)
    broken = {id_: each for id_, each in found.items() if outcome(each) not in (Outcome.PASSED, Outcome.ADVICE)}
    assert broken == {}
    assert found["rate_limit.limit"].decided == (f"rate_limit = 300 ({CORPUS / 'contradicting.yaml'}:14), not 100",)
    assert holding(found.values()) == set()


def test_a_target_that_keeps_the_contract_breaks_a_file_that_contradicts_it(tmp_path: Path) -> None:
    found = run("contradicting.yaml", tmp_path)
    theirs = {"limits.title.post.beyond", "limits.limit.beyond", "rate_limit.limit", "walks.create.status"}
    assert {id_ for id_ in TRIED if outcome(found[id_]) is Outcome.DEVIATION} == theirs
    for id_ in theirs:
        assert found[id_].deviation.grade is Grade.OPENAPI and found[id_].source.kind is SourceKind.OPENAPI
    assert found["openapi.answers.create"].deviation.finding is DeviationKind.STATUS
    assert holding(found.values()) >= theirs


def test_what_the_file_does_not_say_breaks_the_contract(tmp_path: Path) -> None:
    def longer(target: Target) -> None:
        def ask(call: Call) -> Answer | None:
            body = call.json if call.asks("POST") else None
            if isinstance(body, dict) and len(str(body.get("description"))) == 1001:
                call.body = b'{"title": "?"}'
            return None

        target.front.before.append(ask)

    found = run("contradicting.yaml", tmp_path, keeps_its_file, longer, ids=("limits.description.post.beyond",))
    assert found["limits.description.post.beyond"].deviation.grade is Grade.CONTRACT


def test_answers_are_held_to_the_schemas_of_the_file(tmp_path: Path) -> None:
    def texts(target: Target) -> None:
        def change(call: Call, answered: Answer) -> None:
            if call.method == "GET" and call.of_walk and answered.status == 200:
                answered.says(answered.json | {"total_distance": "4321.5"})

        target.front.after.append(change)

    ids = ("walks.create.status", "walks.get.body", "walks.put.status", "listing.body")
    good = run("by-hand.yaml", tmp_path, ids=ids)
    assert {outcome(good[f"openapi.answers.{name}"]) for name in ("create", "get", "list", "put")} == {Outcome.PASSED}
    found = run("by-hand.yaml", tmp_path, texts, ids=ids)
    wrong = found["openapi.answers.get"]
    assert outcome(wrong) is Outcome.DEVIATION
    assert wrong.deviation.grade is Grade.OPENAPI and wrong.deviation.finding is DeviationKind.BODY
    assert str(wrong.deviation.got).startswith("total_distance: '4321.5'")
    assert found["walks.get.body"].deviation.grade is Grade.CONTRACT


def test_a_field_that_the_file_leaves_out_or_lets_be_null_is_no_deviation(tmp_path: Path) -> None:
    def bare(target: Target) -> None:
        def change(call: Call, answered: Answer) -> None:
            if call.method == "GET" and call.of_walk and answered.status == 200:
                body = answered.json | {"description": None}
                del body["polyline_data"]
                answered.says(body)

        target.front.after.append(change)

    ids = ("walks.get.body",)
    assert outcome(run("by-hand.yaml", tmp_path, bare, ids=ids)["walks.get.body"]) is Outcome.DEVIATION
    assert outcome(run("all-of.yaml", tmp_path, bare, ids=ids)["walks.get.body"]) is Outcome.PASSED


def test_the_fuzzer_draws_from_the_file_below_the_contracts_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in another folder than the one where the file was typed."""
    monkeypatch.chdir(CORPUS)
    plan = OpenApiPlan(Path("base-path.yaml"))
    line = command(Address(host="127.0.0.1", port=80), Path("x.har"), seconds=1, seed=1, file=plan.path, base=plan.base)
    assert not any("status_code_conformance" in word for word in line), "a refusal it does not name breaks nothing"
    assert str(CORPUS / "base-path.yaml") in line and "http://127.0.0.1:80/v1" in line


def test_a_target_file_may_name_the_openapi_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs.yaml").write_text("swagger: '2.0'\n")
    (tmp_path / "target.yaml").write_text(f"command: ['{sys.executable}']\nopenapi: theirs.yaml\n")
    words = ["conformance", "--reports", str(tmp_path / "reports"), "--target", str(tmp_path / "target.yaml")]
    asked: list[Path] = []

    def planned(path: Path) -> OpenApiPlan:
        asked.append(path)
        raise BadInput("stop here", where=str(path), remedy="none")

    monkeypatch.setattr("harness.rehearsals.conformance.openapi.plan.OpenApiPlan", planned)
    assert main(words) == Exit.USAGE
    assert main([*words, "--openapi", str(CORPUS / "minimal.yaml")]) == Exit.USAGE
    assert asked == [tmp_path / "theirs.yaml", CORPUS / "minimal.yaml"], "the option goes before the target file"


@pytest.mark.parametrize(
    ("rule", "finding", "grade"),
    [
        ("put.status", DeviationKind.STATUS, Grade.OPENAPI),
        ("put.status", DeviationKind.EFFECT, Grade.CONTRACT),
        ("walk.nullable", DeviationKind.BODY, Grade.CONTRACT),
        ("rate_limit", DeviationKind.STATUS, Grade.OPENAPI),
    ],
)
def test_only_what_the_file_sets_breaks_the_file(rule: str, finding: DeviationKind, grade: Grade) -> None:
    """A check that asks for a status and then finds another walk has found a break of the contract."""
    deviation = Deviation(expected="x", got="y", grade=Grade.CONTRACT, finding=finding)
    found = CheckRun(id="a", sentence="s", deviation=deviation)
    graded = by_file(found, [rule], Rules({rule: FileRule(1, "theirs.yaml:7")}))
    assert graded.deviation is not None and graded.deviation.grade is grade and graded.decided
    assert grade is Grade.CONTRACT or graded.source == SentenceSource(SourceKind.OPENAPI, "theirs.yaml:7")


ONE = """\
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /v1/walks:
    get:
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: object}}}}
"""


@pytest.mark.parametrize(
    ("statuses", "found"),
    [
        ([401] * 5, []),  # the file is silent on them: nothing was compared
        ([401, 200], [None]),
        ([200], [None]),
        ([201], ["status 200"]),
    ],
)
def test_answers_on_which_the_file_is_silent_keep_nothing(
    statuses: list[int], found: list[str | None], tmp_path: Path
) -> None:
    file = tmp_path / "openapi.yaml"
    file.write_text(ONE)
    answers = OpenApiPlan(file).answers()
    answers.take(
        [
            HttpExchange(
                method="GET", path="/v1/walks", sent_headers=(), sent_body=b"", raw=b"", status=status, body=b"{}",
                headers={"content-type": "application/json"},
            )
            for status in statuses
        ]
    )  # fmt: skip
    results = [run_.deviation for run_, _ in answers.results()]
    assert [None if each is None else str(each.expected) for each in results] == found


@pytest.mark.parametrize(
    ("schema", "media", "body", "found"),
    [
        ("{type: array}", "application/json", b"{}", ["a body of its own schema"]),
        ("{type: array}", "application/json; charset=utf-8", b"{}", ["a body of its own schema"]),
        ("{type: array}", "text/plain", b"{}", []),
        ("true", "application/json", b"{}", [None]),
        ("{multipleOf: 0.01}", "application/json", b"9" * 400, []),
        ("{multipleOf: 0.01}", "application/json", b"1.5", [None]),
    ],
    ids=["odd", "with a charset", "of another kind", "anything", "no number", "a number"],
)
def test_a_body_is_compared_or_nothing_is_said(
    schema: str, media: str, body: bytes, found: list[str | None], tmp_path: Path
) -> None:
    """A number that no validator divides, and a schema that is a word, ended all that was still to be checked."""
    file = tmp_path / "openapi.yaml"
    responses = f"{{'200': {{description: x, content: {{{media!r}: {{schema: {schema}}}}}}}}}"
    file.write_text(
        "openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths:\n  /v1/walks:\n"
        f"    get: {{operationId: listWalks, responses: {responses}}}\n"
    )
    answers = OpenApiPlan(file).answers()
    answers.take(
        [HttpExchange(method="GET", path="/v1/walks", sent_headers=(), sent_body=b"", raw=b"", status=200, body=body,
                  headers={"content-type": media})]
    )  # fmt: skip
    results = [run_.deviation for run_, _ in answers.results()]
    assert [None if each is None else str(each.expected) for each in results] == found
