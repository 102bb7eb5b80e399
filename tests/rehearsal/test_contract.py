"""What holds of every rehearsal's stored run, whatever it rehearses: it is stored whole, judged again to the same,
the same as itself, and drawn in Japanese to the last word.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from harness.base.errors import Exit
from harness.cli.messages import read
from harness.cli.stored.compare import Change, FigureChange, Rejudgement, RunComparison, VerdictChange
from harness.evidence.store import EVIDENCE
from harness.model.judgement import Judgement, Kind
from harness.model.section import Section
from harness.report.language import DOMAINS
from harness.report.published import RESULT
from harness.run.registry import MODULES
from harness.run.result import judged
from tests.corpus import today
from tests.corpus.today import Left
from tests.rehearsal.empty import Empty, conductor
from tests.rehearsal.made import result_in
from tests.rehearsal.replayed import replayed
from tests.rehearsal.sequence import adopt
from tests.rehearsal.unstored import MADE
from tests.stored.conftest import main

#: The stored run of each rehearsal that has one; its folder is made of that.
RUNS = {
    "rollout_week": "week1_virtual_hold",
    "rollout": "rollout_hold",
    "load_stages": "load_stages_passes",
    "scaling": "scaling_parts",
    "secret_rotation": "secret_rotation_kind",
    "network": "network_kind",
    "deploy_rehearsal": "deploy",
    "chaos": "chaos_passes",
    "chaos_nightly": "chaos_nightly_some_left_out",
    "dr_restore": "dr_restore",
    "mirror_stop": "mirror_stop",
    "flag_proof": "flag_proof",
    "conformance": "conformance_deviations",
    "infrastructure": "infrastructure",
    "migration_drill": "migration_drill",
    "runbooks": "runbooks_kind",
    "security": "security",
}
STAND_IN = "stand_in"
STORED = {
    EVIDENCE, "plan.json", "manifests.json", "machine.json", "result.json", "junit.xml", "summary.md", "report.html",
}  # fmt: skip
#: The same in every language: what the evidence says, and a class of statuses.
SAME = {"{words}", "5xx"}
#: The stand-in is not of the product, whose catalogues have no words for it.
ITS_OWN = {"{count} rows came", "Rows", "Subject", "What happened"}


def test_every_rehearsal_of_the_registry_is_held_to_the_contract() -> None:
    assert {*RUNS, *MADE} == set(MODULES)
    assert {name: today.result(run).rehearsal for name, run in RUNS.items()} == {name: name for name in RUNS}


@cache
def left_by(name: str) -> Left:
    """What the run had left that the folder of that name is made of."""
    return MADE[name]() if name in MADE else today.left(RUNS[name])


@pytest.fixture(scope="module")
def folders() -> dict[str, Path]:
    """Those that were made, by the rehearsal."""
    return {}


@pytest.fixture(params=[*RUNS, *MADE, STAND_IN])
def folder(
    request: pytest.FixtureRequest,
    folders: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The folder of a run, as the product wrote it."""
    name: str = request.param
    monkeypatch.setitem(MODULES, STAND_IN, "tests.rehearsal.stand_in")
    if name not in folders:
        folders[name] = asyncio.run(made(name, tmp_path_factory.mktemp(name)))
    return folders[name]


async def made(name: str, reports: Path) -> Path:
    """With a run of its own for each on which a sequence went on: the stored ones are kept without them."""
    if name == STAND_IN:
        run = conductor(reports, Empty(rows=3))
        await run.run()
        return run.folder
    left = await asyncio.to_thread(left_by, name)  # which may run a loop of its own
    folder = await replayed(left, reports)
    for part, run_id in getattr(left.seen.details, "went_on", ()):
        adopt(folder, run_id, await made(STAND_IN, reports / part))
    return folder


def test_it_is_stored_whole(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} >= STORED
    schema().validate(json.loads((folder / "result.json").read_text()))
    result = result_in(folder)
    assert result.facts.errors == () and result.judgements and result.decision is not None
    assert (folder.parent / "latest").resolve() == folder
    for name in ("junit.xml", "summary.md", "report.html"):
        assert result.run_id in said_in(folder / name), name


@cache
def schema() -> jsonschema.Draft202012Validator:
    """Of ``result.json``, as it is published."""
    return jsonschema.Draft202012Validator(json.loads(RESULT.schema_file.read_text()))


def said_in(path: Path) -> str:
    """A file's text without what Markdown escapes."""
    return path.read_text().replace("\\_", "_")


def test_it_was_judged_as_what_the_run_had_left_is(folder: Path, folders: dict[str, Path]) -> None:
    """The flow of a run loses nothing of what a run leaves; what of it is from before answers were read whole is run
    by a harness that says that they were."""
    [name] = [each for each, made_of_it in folders.items() if made_of_it == folder]
    if name != STAND_IN:
        left = left_by(name)
        facts = msgspec.structs.replace(left.seen.facts, keeps=result_in(folder).facts.keeps)
        found = judged(left.type, left.plan, replace(left.seen, facts=facts))
        assert found and {each.key: each for each in result_in(folder).judgements} == {each.key: each for each in found}


def test_judged_again_it_is_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = result_in(folder)
    assert main(["judge", str(folder), "--json"]) == result.exit_status
    now = msgspec.json.decode(capsys.readouterr().out, type=Rejudgement)
    assert [(pair.name, pair.differs) for pair in now.judgements if pair.differs] == []
    assert (now.same, now.decision, len(now.judgements)) == (True, result.decision, len(result.judgements))


def test_compared_with_itself_nothing_differs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["compare", str(folder), str(folder), "--json"])
    compared = msgspec.json.decode(capsys.readouterr().out, type=RunComparison)
    exercised = result_in(folder).exercised
    assert (compared.worse, compared.nothing, compared.not_comparable) == ((), not exercised, ())
    assert status == (Exit.OK if exercised else Exit.HOLD)
    changed: list[VerdictChange | FigureChange] = [*compared.judgements, *compared.figures, *compared.timings]
    assert [(each.name, each.change) for each in changed if each.change is not Change.NONE] == []
    stored = [each.key for each in result_in(folder).judgements if each.kind is not Kind.OBSERVATION]
    assert (compared.settings, [(each.part, each.id) for each in compared.judgements]) == ((), stored)


def test_drawn_in_japanese_no_reason_is_english(folder: Path) -> None:
    assert main(["report", str(folder), "--lang", "ja"]) == Exit.OK
    page = (folder / "report.html").read_text()
    assert '<html lang="ja">' in page and result_in(folder).run_id in said_in(folder / "summary.md")
    result = result_in(folder)
    known_ones = known().union(strings(json.loads((folder / "plan.json").read_text())))  # a plan's words: its author's
    known_ones |= ITS_OWN if result.rehearsal == STAND_IN else set()
    said: list[Judgement | Section] = [*result.judgements, *result.sections]
    assert set(texts(msgspec.to_builtins(said))) - known_ones == set()
    assert main(["report", str(folder)]) == Exit.OK


@cache
def known() -> frozenset[str]:
    """Every message that Japanese has words for."""
    return frozenset({*SAME, *(str(each.id) for domain in DOMAINS for each in read("ja", domain) if each.string)})


def texts(node: Any) -> Iterator[str]:
    """Every message of a document."""
    if isinstance(node, dict):
        if isinstance(node.get("text"), str) and set(node) <= {"text", "values"}:
            yield node["text"]
        node = list(node.values())
    for child in node if isinstance(node, list | tuple) else ():
        yield from texts(child)


def strings(node: Any) -> Iterator[str]:
    """Every string of a document."""
    if isinstance(node, str):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from strings(child)
