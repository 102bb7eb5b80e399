"""Every stored run of before, judged and drawn by today's code: the verdicts, values, bounds and numbers of then."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import pytest

from harness.evidence.gathered import EVIDENCE
from harness.model.judgement import Judgement, errata_of
from harness.model.message import english, verbatim
from harness.model.verdict import Verdict
from tests.corpus import again, facts, intended, loads
from tests.corpus.again import Json
from tests.corpus.intended import GONE, NEW

RUNS = sorted(path.name for path in facts.RUNS.iterdir() if path.is_dir())
Key = tuple[str, str]
#: The fields that a document kept of every judgement; of the others "" and ``None`` say that it kept nothing.
_ALL = ("value", "bound", "limit", "unit", "samples", "claims")
KEPT = {
    "run.json": (*_ALL, "kind"), "dr.json": _ALL, "flag_proof.json": _ALL, "chaos.json": ("value", "unit", "samples"),
    "chaos_nightly.json": ("value", "unit", "samples"), "conformance.json": (), "load.json": ("claims",),
}  # fmt: skip


def test_every_run_is_converted() -> None:
    assert sorted(again.converters()) == RUNS


def moved(part: str, id_: str) -> Key:
    """Where a judgement of before is to be found today."""
    if part == "checks":
        return "", id_
    if part == "target":
        return "", f"{id_}.of_target"
    if part == "knees":
        pods, _, photos = id_.partition(" pods")
        return "", f"knee.{pods}.photos" if photos else f"knee.{pods}"
    return part, id_


def differences(run: str, found: tuple[Judgement, ...]) -> Iterator[tuple[str, str, str, str]]:
    """Each as part, id, what, and what it was and is."""
    document, old = again.stored(run)["document"], again.stored(run)["judgements"]
    now = {each.key: each for each in found}
    for then in old:
        key = moved(then["part"], then["id"])
        if key not in now:
            yield then["part"], then["id"], GONE, then["reason"]
            continue
        for what, was, is_ in compared(document, then, now[key]):
            if was != is_:
                yield *key, what, f"{was!r} was, {is_!r} is"
    for part, id_ in now.keys() - {moved(then["part"], then["id"]) for then in old}:
        yield part, id_, NEW, now[part, id_].reason


def compared(document: str, then: Json, now: Judgement) -> Iterator[tuple[str, Any, Any]]:
    """Every field that the document kept, as it was and as it is."""
    yield "verdict", then["verdict"], str(now.verdict)
    yield "holds", held(document, then), now.holds
    yield "erratum", then["erratum"], now.erratum
    is_ = {
        "value": now.value, "bound": now.bound, "limit": now.limit, "unit": str(now.unit), "samples": now.samples,
        "claims": list(now.claims), "kind": str(now.kind),
    }  # fmt: skip
    for name in () if then["part"] == "checks" else KEPT.get(document, ("claims",)):
        yield name, then[name], is_[name]
    if then["shown"] and document not in ("conformance.json", "chaos_nightly.json"):
        yield "shown", *shown(then["shown"], now)
    if document != "conformance.json":
        yield "reason", then["reason"], now.reason
    elif then["shown"]:
        yield "reason", then["shown"], now.reason.replace("; got ", ", got ", 1)
    else:
        yield "reason", then["reason"] or "kept", now.reason


def shown(then: str, now: Judgement) -> tuple[str, str]:
    """What was measured, in words: today a number where one carries it, which is as exact as those words at least."""
    if now.shown or now.value is None:
        return then, english(now.shown)
    said = re.search(r"\d+(?:\.(\d+))?", then)
    return said[0] if said else then, f"{now.value:.{len(said[1] or '') if said else 0}f}"


def held(document: str, then: Json) -> bool:
    """Whether it kept its run from success: what was not exercised did so in a week, and where a contract is whole."""
    if then["counts"] == facts.TOLD or then["verdict"] in ("pass", "erratum_shown"):
        return False
    if then["verdict"] != "not_exercised":
        return True
    whole = document == "conformance.json" and then["grade"] != "allowed"
    return then["counts"] == facts.JUDGED and (whole or document == "run.json")


@pytest.mark.parametrize("run", RUNS)
def test_it_is_judged_as_it_was(run: str) -> None:
    found = again.judgements(run)
    assert found
    seen = [*differences(run, (*found, *loads.steps(again.converted(run))))]
    named = [each for each in intended.JUDGEMENTS if fnmatchcase(run, each.runs)]
    assert [one for one in seen if not any(each.covers(run, *one[:3]) for each in named)] == []
    assert [each for each in named if not any(each.covers(run, *one[:3]) for one in seen)] == [], "it differs no more"


@pytest.mark.parametrize("run", RUNS)
def test_it_saw_the_errata_that_it_saw(run: str) -> None:
    then = {each["id"]: each["seen"] for each in again.stored(run)["errata_seen"]}
    now = {name: english(told) for name, told in errata_of(again.result(run).judgements).items()}
    differing = {(each, GONE if each not in now else NEW if each not in then else "seen") for each in then | now
                 if then.get(each) != now.get(each)}  # fmt: skip
    assert differing == {(each.id, each.what) for each in intended.ERRATA if fnmatchcase(run, each.runs)}


@pytest.mark.parametrize("run", [run for run in RUNS if run.startswith("week")])
def test_the_query_beside_a_value_gives_that_value(run: str) -> None:
    found = [each for each in again.judgements(run) if each.reproduce]
    assert found
    with contextlib.closing(
        sqlite3.connect(f"{(again.folder(run) / EVIDENCE).as_uri()}?mode=ro", uri=True)
    ) as database:
        given = {each.id: database.execute(each.reproduce).fetchone()[0] for each in found}
    assert given == {each.id: pytest.approx(each.value, rel=1e-12) for each in found}


@pytest.mark.parametrize("run", [run for run in RUNS if run not in intended.ENDS_OF_NO_RUN])
def test_it_ends_as_it_did(run: str) -> None:
    old, result = again.stored(run), again.result(run)
    now = (result.decision, result.exit_status)
    assert (now != (again.decision_of(old), old["exit_status"])) is (run in intended.ENDS)


def test_whatever_differs_is_seen() -> None:
    run = "chaos_nightly_broke"
    first, second, *others = again.judgements(run)
    worse = msgspec.structs.replace(first, verdict=Verdict.FAIL, value=9.0, told=(verbatim("another"),))
    found = {one[:3] for one in differences(run, (worse, *others))}
    assert {("", first.id, what) for what in ("verdict", "holds", "value", "reason")} <= found
    assert ("", second.id, GONE) in found and ("", "schedules", NEW) in found
    assert not any(each.covers(run, "", first.id, "verdict") for each in intended.JUDGEMENTS)
    assert shown("5.1 s", msgspec.structs.replace(first, value=5.14)) == ("5.1", "5.1")
    assert shown("5.1 s", msgspec.structs.replace(first, value=5.16)) == ("5.1", "5.2")
