"""What people decided: read as a plan is, and void once it no longer fits what is known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.base.errors import BadInput, Exit
from harness.base.units import Unit
from harness.cli.main import main
from harness.model.claim import Claim, Consequence, ShownOn
from harness.model.judgement import Verdict
from harness.model.message import english
from harness.report.published import RESULT
from harness.report.signoff import decisions
from harness.report.signoff.decisions import read, weighed
from harness.report.signoff.document import document
from harness.report.signoff.types import ClaimStanding, ClaimState, DecisionEntry, Signoff, StoredResult
from harness.rules.register import Register
from harness.stack.environments.identity import digest
from harness.stack.target.targets import bundled
from tests import register as claims
from tests.signoff.made import ASKED, evidence_of, judged_as_stored, judgement, stored

CLAIM, LOST, BLIND = "scaling.time.manual_up", "dr.restore.step2", "slo.availability"
ERRATUM = "dr.configmap_changes_nothing"


def changed(claim: str, **fields: Any) -> Claim:
    return msgspec.structs.replace(claims.REGISTER[claim], **fields)


def _lost() -> Claim:
    whole = claims.REGISTER[LOST]
    errata = [msgspec.structs.replace(each, consequence=Consequence.DATA_LOST) for each in whole.errata]
    return changed(LOST, consequence=Consequence.DATA_LOST, errata=tuple(errata))


#: Three claims alone: one of a cluster, one whose erratum loses data, one that only a month shows.
REGISTER = {
    CLAIM: changed(CLAIM, shown_on=ShownOn.KIND, consequence=Consequence.OUTAGE, errata=(), first_sign=""),
    LOST: _lost(),
    BLIND: changed(BLIND, shown_on=ShownOn.MONTH, first_sign="the burn rate", errata=(), about_go_backend=False),
}
ENTRY = {
    "claim": CLAIM, "by": "[A. Mori]", "on": '"2026-01-09"', "because": "small", "until": '"2026-12-31"',
}  # fmt: skip


def written(folder: Path, *entries: dict[str, str]) -> Path:
    """A file of these entries, a line for each field."""
    lines = ["decisions:"]
    for each in entries:
        first, *rest = (f"{name}: {value}" for name, value in each.items())
        lines += [f"- {first}", *(f"  {line}" for line in rest)]
    path = folder / "decisions.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_entry_is_read_with_its_line(tmp_path: Path) -> None:
    more = {**ENTRY, "state": "failed", "holds_to": "650ms"}
    erratum = {"erratum": ERRATUM, **ENTRY, "by": "[A, B]", "corrected_in": "v1.3"}
    del erratum["claim"]
    first, second = read(written(tmp_path, more, erratum), REGISTER)
    assert (first.of, first.by, first.state, first.holds_to) == (CLAIM, ("A. Mori",), ClaimState.FAILED, "650ms")
    assert first.place == f"{tmp_path / 'decisions.yaml'}:2"
    assert (second.of, second.corrected_in, second.place) == (ERRATUM, "v1.3", f"{tmp_path / 'decisions.yaml'}:9")


@pytest.mark.parametrize(
    ("entries", "line", "error", "remedy"),
    [
        (
            [{**ENTRY, "claim": "scaling.time.manual_upp"}],
            2,
            "unknown claim 'scaling.time.manual_upp'",
            "signoff --template",
        ),
        ([{**ENTRY, "claim": '"scaling.*"'}], 2, "'scaling.*' is a wildcard", "write an entry for each"),
        ([{**ENTRY, "claim": LOST}], 3, f"{LOST} needs 2 names, and has fewer", "two"),
        ([{**ENTRY, "claim": LOST, "by": '[A, " A "]'}], 3, f"{LOST} needs 2 names, and has fewer", "two"),
        ([{**ENTRY, "by": '[" "]'}], 3, f"{CLAIM} needs 1 names, and has fewer", "name who decided"),
        (
            [{**ENTRY, "claim": BLIND}],
            2,
            f"{BLIND} is signed blind, and nobody is named who watches it",
            "name the owner",
        ),
        ([{**ENTRY, "erratum": ERRATUM}], 2, "an entry is of one claim or one erratum", "`claim` or `erratum`"),
        ([{**ENTRY, "on": '"2026-02-30"'}], 4, "'2026-02-30' is no day", "2026-12-31"),
        ([{**ENTRY, "corrected_in": "v1.3"}], 7, "only an erratum is corrected in the document", "leave it out"),
        ([ENTRY, ENTRY], 7, f"{CLAIM} is decided twice", "keep one"),
    ],
)
def test_what_is_not_fit_is_refused_with_its_line_and_what_to_do(
    entries: list[dict[str, str]], line: int, error: str, remedy: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as refused:
        read(written(tmp_path, *entries), REGISTER)
    assert error in str(refused.value) and remedy in str(refused.value)
    assert re.search(rf"decisions\.yaml:{line}\b", str(refused.value)), str(refused.value)


# -- void ------------------------------------------------------------------------------------------------------------


def at(state: ClaimState, *, value: float | None = None) -> dict[str, ClaimStanding]:
    """Where the claim stands, by a latency whose limit is 500 ms."""
    figure = {} if value is None else {"value": value, "unit": Unit.MILLISECONDS, "limit": 500.0}
    of = document(REGISTER, [stored("run", judgement(CLAIM, Verdict.FAIL, **figure))], ASKED)
    found = next(each for each in of.standings if each.claim == CLAIM)
    return {CLAIM: msgspec.structs.replace(found, state=state)}


def entry(**more: Any) -> DecisionEntry:
    given = {"of": CLAIM, "by": ("A",), "on": "2026-01-09", "because": "small", "until": "2026-01-10"}
    return DecisionEntry(**{**given, **more})


@pytest.mark.parametrize(
    ("given", "now", "why"),
    [
        ({}, at(ClaimState.FAILED), ""),
        ({"until": "2026-01-09"}, at(ClaimState.FAILED), "its last day, 2026-01-09, has passed"),
        ({"on": "2026-01-11"}, at(ClaimState.FAILED), "its day, 2026-01-11, has not come"),
        ({"state": ClaimState.NOT_SHOWN}, at(ClaimState.FAILED), "the claim was accepted as not shown, and is failed"),
        ({"state": ClaimState.NOT_SHOWN}, at(ClaimState.NOT_SHOWN), ""),
        ({"state": ClaimState.FAILED}, at(ClaimState.NOT_SHOWN), ""),
        ({"holds_to": "650ms"}, at(ClaimState.FAILED, value=612), ""),
        ({"holds_to": "650ms"}, at(ClaimState.FAILED, value=651), "651 ms passes 650ms"),
        ({"holds_to": "650ms"}, at(ClaimState.FAILED), "no figure of the claim can be compared with 650ms"),
        ({"of": ERRATUM}, {}, ""),
    ],
)
def test_an_entry_is_void_once_it_is_over_or_worse_was_seen(
    given: dict[str, Any], now: dict[str, ClaimStanding], why: str
) -> None:
    [found] = weighed([entry(**given)], now, "2026-01-10")
    assert english(found.void) == why


def test_a_new_build_voids_no_decision() -> None:
    run = stored("run", judgement(CLAIM, Verdict.FAIL))
    asked = msgspec.structs.replace(ASKED, digests=("sha256:2222",))
    for each in (ASKED, asked):
        of = document(REGISTER, [run], each, decisions=[entry(state=ClaimState.FAILED)])
        assert of.accepted == (CLAIM,) and not of.decisions[0].void


def test_what_is_shown_anyway_is_no_accepted_gap_and_a_corrected_erratum_is_none() -> None:
    shown = document(REGISTER, [stored("run", judgement(CLAIM, Verdict.PASS))], ASKED, decisions=[entry()])
    assert shown.accepted == () and CLAIM not in {each.of for each in shown.blockers}
    corrected = document(REGISTER, [], ASKED, decisions=[entry(of=ERRATUM, corrected_in="v1.3")])
    assert corrected.accepted == () and ERRATUM not in {each.of for each in corrected.blockers}


# -- the exit status of the command ----------------------------------------------------------------------------------


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command with the three claims, on results made by hand."""
    errata = {erratum.id: (claim, erratum) for claim in REGISTER.values() for erratum in claim.errata}
    ours = Register(chapters={"Decision and reasons": (*REGISTER.values(),)}, claims=REGISTER, errata=errata)
    monkeypatch.setattr("harness.cli.stored.signoff.read", lambda _: ours)
    judged_as_stored(monkeypatch)


def stand(reports: Path, *found: StoredResult) -> None:
    """Stored results of the bundled API as it is."""
    for each in found:
        facts = msgspec.structs.replace(each.result.facts, target=bundled().name, target_digest=digest(bundled()))
        (reports / each.folder).mkdir(parents=True)
        RESULT.write(reports / each.folder, msgspec.structs.replace(each.result, facts=facts))
        evidence_of(reports / each.folder, each.folder)


def signoff(reports: Path, *words: str) -> int:
    return main(["signoff", "--reports", str(reports), "--max-age", "20000d", *words])


def held(folder: str = "held", verdict: Verdict = Verdict.PASS, **more: Any) -> StoredResult:
    return stored(folder, judgement(CLAIM, verdict), **{"started_utc": "2024-01-09T00:00:00.000Z", **more})


def filled(template: str) -> str:
    """A template as two people fill it in."""
    for field, value in (
        ('by: [""]', "by: [A]"), ('by: ["", ""]', "by: [A, B]"), ('on: ""', 'on: "2024-01-09"'),
        ('because: ""', "because: it is small"), ('until: ""', 'until: "2999-12-31"'), ('owner: ""', "owner: C"),
    ):  # fmt: skip
        template = template.replace(field, value)
    return template


@pytest.mark.usefixtures("register")
def test_the_template_filled_in_signs_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reports, file = tmp_path / "reports", tmp_path / "decisions.yaml"
    stand(reports, held())
    assert signoff(reports, "--template") == Exit.OK
    template = capsys.readouterr().out
    assert not (reports / "signoff").exists()
    file.write_text(template)
    assert signoff(reports, "--decisions", str(file)) == Exit.USAGE, "nobody has filled it in"
    file.write_text(filled(template))
    assert signoff(reports, "--decisions", str(file)) == Exit.OK
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"Nothing blocks: signed with \d+ accepted gaps \(exit status 0\)", last)
    assert signoff(reports, "--decisions", str(file), "--template") == Exit.OK
    assert capsys.readouterr().out.endswith("decisions: []\n")


@pytest.mark.usefixtures("register")
@pytest.mark.parametrize(
    ("change", "failed", "named"),
    [
        (("", ""), False, ""),
        (("2999-12-31", "2024-01-09"), False, BLIND),
        ((f"- erratum: {ERRATUM}", "# "), False, ERRATUM),
        (("", ""), True, CLAIM),
    ],
    ids=["all decided", "a day that has passed", "an erratum of lost data open", "a claim that failed its last try"],
)
def test_it_ends_in_0_where_nothing_blocks_and_names_what_does(
    change: tuple[str, str], failed: bool, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports, file = tmp_path / "reports", tmp_path / "decisions.yaml"
    stand(reports, held(started_utc="2024-01-08T00:00:00.000Z"))
    signoff(reports, "--template")
    entries = [f"- {each}" for each in filled(capsys.readouterr().out).split("\n- ")[1:]]
    old, new = change
    entries = [each.replace(old, new, 1) if BLIND in each or ERRATUM in old else each for each in entries]
    file.write_text("\n".join(["decisions:", *(each for each in entries if not each.startswith("# "))]) + "\n")
    stand(reports, *[held("failed", Verdict.FAIL)] * failed)
    assert signoff(reports, "--decisions", str(file), "--json") == (Exit.HOLD if named else Exit.OK)
    of = msgspec.json.decode(capsys.readouterr().out, type=Signoff)
    assert [each.of for each in of.blockers] == ([named] if named else [])
    assert signoff(reports, "--decisions", str(file)) == (Exit.HOLD if named else Exit.OK)
    said = capsys.readouterr().out
    assert named in said and f"(exit status {10 if named else 0})" in said.splitlines()[-1]


def test_the_file_of_the_folder_is_read_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(decisions.DECISIONS).write_text("decisions: [{claim: nosuch}]\n")
    assert main(["signoff"]) == Exit.USAGE
    assert "decisions.yaml:1" in capsys.readouterr().err
