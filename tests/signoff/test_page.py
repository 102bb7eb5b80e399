"""The page: what stands in the way first, every claim once, counts that add up; the terminal; and the command."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from harness.base.errors import BadInput, EvidenceNotWritten, Exit
from harness.cli.main import main
from harness.cli.stored.signoff import ERRATA, PAGES
from harness.evidence.store import EVIDENCE, summed
from harness.model.claim import Claim, Consequence, Dependency, Found, ShownOn
from harness.model.judgement import Verdict
from harness.model.message import english, raw_text
from harness.model.stack import EnvironmentKind, Target
from harness.report.language import LANGUAGES, columns, language, write_atomically
from harness.report.published import RESULT
from harness.report.signoff.document import document, errata
from harness.report.signoff.gather import DOCUMENT, FOLDER, PREVIOUS, keep, previous
from harness.report.signoff.page import SIGN, closing_lines, headline, render
from harness.report.signoff.types import CONSEQUENCE, WORD, ClaimState, DecisionEntry, Signoff, StoredResult
from harness.stack.environments.identity import TargetIdentity, digest, harness_digest
from harness.stack.target.targets import bundled, resolve
from tests import register as claims
from tests.corpus import today
from tests.report.page import Page
from tests.report.results import NASTY
from tests.signoff.made import ASKED, evidence_of, judged_as_stored, judgement, stored
from tests.signoff.test_errata import KNOWN

CLAIM, OTHER, LOST = "scaling.time.manual_up", "scaling.time.manual_down", "dr.restore.step2"
ERRATUM = "dr.configmap_changes_nothing"
DAYS: dict[str, Any] = {"on": "2026-01-09", "because": "it is small", "until": "2026-12-31"}


def changed(**fields: dict[str, Any]) -> dict[str, Claim]:
    """The register with these fields of these claims, whose ids have ``__`` for dots."""
    ids = {name.replace("__", "."): its for name, its in fields.items()}
    return {
        **claims.REGISTER,
        **{name: msgspec.structs.replace(claims.REGISTER[name], **its) for name, its in ids.items()},
    }


#: A claim that runs prove on a cluster, one that loses data, one of a month, one of a later phase, one nobody rehearses.
REGISTER = changed(
    scaling__time__manual_up={
        "says": "A pod more is ready in 10 s.",
        "shown_on": ShownOn.KIND,
        "about_go_backend": True,
    },
    scaling__time__manual_down={"shown_on": ShownOn.KIND, "consequence": Consequence.MONEY},
    dr__restore__step2={
        "consequence": Consequence.DATA_LOST,
        "errata": tuple(
            msgspec.structs.replace(each, consequence=Consequence.DATA_LOST, found=Found.SEEN)
            for each in claims.REGISTER[LOST].errata
        ),
    },
    slo__availability={"shown_on": ShownOn.MONTH, "first_sign": "the burn rate"},
    security__network__policy={"phase": 4},
    manifest__service={"not_rehearsed": "it is a heading"},
)


def made(
    *found: StoredResult, previous: Signoff | None = None, register: Mapping[str, Claim] = REGISTER, **more: Any
) -> Signoff:
    return document(register, found, ASKED, previous=previous, **more)


def html(of: Signoff, code: str = "en", register: Mapping[str, Claim] = REGISTER) -> str:
    chapters = {
        title: tuple(register[each.id] for each in its if each.id in register) for title, its in claims.CHAPTERS.items()
    }
    return render(of, register, chapters, language(code), other="other.html", errata_file="errata.md", known=KNOWN)


def drawn(of: Signoff, code: str = "en", register: Mapping[str, Claim] = REGISTER) -> Page:
    return Page(html(of, code, register))


def accepted(of: str, **more: Any) -> DecisionEntry:
    """A decision of two people that counts."""
    return DecisionEntry(**{"of": of, "by": ("A. Mori", "K. Sato"), "place": "decisions.yaml:7", **DAYS, **more})


def everything() -> Signoff:
    """Every state, every verdict, evidence that counts and that does not, decisions that count and that do not, and a
    change; by the register as it is."""
    nasty = (raw_text(NASTY),)
    before = made(stored("old", judgement(CLAIM, Verdict.PASS)), register=claims.REGISTER)
    return made(
        stored("new", judgement(CLAIM, Verdict.FAIL, told=nasty), judgement("related.api", Verdict.PASS, part=NASTY)),
        stored("shown", judgement(LOST, Verdict.ERRATUM_SHOWN, erratum=ERRATUM)),
        stored("left", judgement("manifest.pdb", Verdict.NOT_EXERCISED)),
        stored("unsure", judgement("dr.rto", Verdict.INCONCLUSIVE)),
        stored(f"sim {NASTY}".replace("/", ""), judgement(OTHER, Verdict.PASS), rung=EnvironmentKind.SIM, replay=NASTY),
        previous=before,
        decisions=[accepted(CLAIM, because=NASTY), accepted("slo.availability", until="2026-01-09", owner=NASTY)],
        register=claims.REGISTER,
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_claim_and_erratum_stands_once_and_what_stands_in_the_way_comes_first(code: str) -> None:
    of = everything()
    page = drawn(of, code, claims.REGISTER)
    assert not page.unbalanced and not page.open and "script" not in page.tags
    ids = page.values("id")
    for kind, names in (("claim-", claims.REGISTER), ("erratum-", claims.ERRATA)):
        assert sorted(each for each in ids if each.startswith(kind)) == sorted(f"{kind}{name}" for name in names)
    assert len(ids) == len(set(ids))
    assert {href.removeprefix("#") for href in page.values("href") if href.startswith("#")} <= set(ids)
    say, text = language(code), page.text
    order = [
        text.index(each)
        for each in (headline(of, say), f"{say('Target')}{of.asked.target}", say("What stands in the way"))
    ]
    assert order == sorted(order) and order[-1] < text.index(say("Every claim, by chapter"))
    assert {each.state for each in of.standings} == {*ClaimState}
    assert all(sign in text and say(WORD[state]) in text for state, sign in SIGN.items())


def test_what_stands_in_the_way_goes_by_consequence_with_reason_and_what_to_type() -> None:
    failed = judgement(OTHER, Verdict.FAIL, told=(raw_text("it took 90 s"),))
    of = made(
        stored("run", failed, judgement(LOST, Verdict.ERRATUM_SHOWN, erratum=ERRATUM)), lines=["scaling --on kind"]
    )
    page = drawn(of)
    text = page.text[page.text.index("What stands in the way") : page.text.index("What is signed blind")]
    titles = re.findall(f"({'|'.join(each.capitalize() for each in CONSEQUENCE.values())}) ?[0-9]+ ?ClaimWhy", text)
    assert titles == list(
        dict.fromkeys(say_.capitalize() for say_ in CONSEQUENCE.values() if say_.capitalize() in titles)
    )
    assert {"Risk of data loss", "Risk of a wrong cost"} <= {*titles}
    assert f"Erratum {ERRATUM}" in text
    assert f'- {{erratum: {ERRATUM}, by: ["", ""], on: "", because: "", until: "", corrected_in: ""}}' in text
    assert "failed: Tried on kind, and did not hold: it took 90 s; see run" in text
    assert "python3 -m harness scaling --on kind" in text
    assert 'yours to decide: - {claim: slo.availability, by: [""]' in text and 'owner: ""}' in text
    order = [each.of for each in of.blockers if each.consequence is Consequence.WORDING]
    assert order == [name for name in REGISTER if name in order], "the document's"
    worse = made(stored("run", judgement(CLAIM, Verdict.FAIL, part="a")), register=changed(
        scaling__time__manual_up={"consequence": Consequence.MONEY}, scaling__time__manual_down={"consequence": Consequence.MONEY},
        scaling__time__hpa_up={"consequence": Consequence.MONEY}, scaling__hpa__cpu={"consequence": Consequence.MONEY},
    ))  # fmt: skip
    assert next(each.of for each in worse.blockers if each.consequence is Consequence.MONEY) == CLAIM, (
        "what failed first"
    )


def test_each_page_has_the_claim_in_its_reader_s_language_and_says_of_whom_it_speaks() -> None:
    quoted = claims.REGISTER[CLAIM].quotation
    english, japanese = drawn(made()).text, drawn(made(), "ja").text
    assert f"A pod more is ready in 10 s.{CLAIM} (about the Go backend)" in english
    assert "A pod more" not in japanese and quoted in japanese
    silent = changed(scaling__time__manual_up={"says": ""})
    assert f"{quoted}{CLAIM}" in drawn(made(register=silent), register=silent).text


def numbers(row: str) -> list[int]:
    return [int(each) for each in re.findall(r'<td class="num[^>]*>(\d+)</td>', row)]


def test_counts_add_up_and_what_blocks_nothing_is_counted_apart() -> None:
    of = made(stored("run", judgement(OTHER, Verdict.PASS), judgement(CLAIM, Verdict.FAIL)))
    page = html(of)
    rows = [numbers(each) for each in re.findall(r'<tr><th scope="row">.*?</tr>', page, re.DOTALL)]
    later = sum(claim.phase > 2 for claim in REGISTER.values())
    assert all(sum(row[:4]) == row[4] for row in rows) and len(rows) == len(claims.CHAPTERS) + 1
    assert rows[-1] == [sum(column) for column in zip(*rows[:-1], strict=True)]
    assert sum(rows[-1][4:]) == len(REGISTER) and rows[-1][5] == later
    line = re.search(
        r"(\d+) shown ?\+ (\d+) failed ?\+ (\d+) document wrong ?\+ (\d+) not shown ?= (\d+) claims", Page(page).text
    )
    assert line is not None and [int(each) for each in line.groups()] == rows[-1][:5]
    assert f"apart, blocking nothing: {later} of later phases, {rows[-1][6]} not rehearsed" in Page(page).text
    apart = {"security.network.policy", "manifest.service"}
    assert not apart & {each.of for each in of.blockers}
    assert "Not rehearsed" in Page(page).text and "it is a heading" in Page(page).text


def test_what_is_signed_blind_has_its_first_sign_and_its_owner() -> None:
    def owner(*entries: DecisionEntry) -> str:
        text = drawn(made(decisions=entries)).text
        return text[text.index("What is signed blind") : text.index("Errata by consequence")]

    assert "slo.availability" in owner() and "the burn rate" in owner() and "nobody yet" in owner()
    assert "the burn rateT. Abe" in owner(accepted("slo.availability", owner="T. Abe")).replace("Owner", "")
    assert "T. Abe" not in owner(accepted("slo.availability", owner="T. Abe", until="2026-01-09")), "it is void"


def test_decisions_are_stamps_beside_the_state_and_void_ones_say_why() -> None:
    entries = [accepted(CLAIM), accepted(ERRATUM, corrected_in="v1.3"), accepted(OTHER, until="2026-01-09")]
    of = made(stored("run", judgement(CLAIM, Verdict.FAIL)), decisions=entries)
    text = drawn(of).text
    stamp = "A. Mori, K. Sato accepted this on 2026-01-09 until 2026-12-31, because it is small"
    gaps = text[text.index("Accepted gaps") : text.index("Decisions that do not count")]
    assert f"failed {CLAIM}{stamp}" in gaps and ERRATUM not in gaps
    assert "corrected in v1.3 (A. Mori, K. Sato, 2026-01-09)" in text and "1 corrected" in text
    assert f"decisions.yaml:7 {OTHER}: its last day, 2026-01-09, has passed" in text
    assert "1 decisions do not count" in text
    assert "decisions do not count" not in drawn(made()).text


def test_of_an_erratum_it_is_said_how_it_is_known_and_what_would_show_it() -> None:
    unseen, seen = made(), made(stored("run", judgement(LOST, Verdict.ERRATUM_SHOWN, erratum=ERRATUM)))
    for of, word in ((unseen, "not seen yet; python3 -m harness dr_restore would show it"), (seen, "seen in a run")):
        text = drawn(of).text
        assert word in text[text.index("Errata by consequence") : text.index("Every claim, by chapter")]


def test_nothing_blocks_only_where_all_of_the_phase_is_shown_or_accepted() -> None:
    kept = {CLAIM: REGISTER[OTHER], OTHER: msgspec.structs.replace(REGISTER[CLAIM], id=OTHER)}
    register = {name: msgspec.structs.replace(claim, id=name, errata=()) for name, claim in kept.items()}
    run = stored("run", judgement(CLAIM, Verdict.PASS), judgement(OTHER, Verdict.PASS))
    say = language("en")
    of = made(run, register=register)
    assert not of.blockers and headline(of, say) == "Nothing blocks: signed without a gap"
    one = stored("one", judgement(OTHER, Verdict.PASS))
    of = made(one, register=register)
    assert headline(of, say) == "Not to be signed yet: 1 things stand in the way"
    of = made(one, register=register, decisions=[accepted(CLAIM)])
    assert headline(of, say) == "Nothing blocks: signed with 1 accepted gaps"
    assert "✓ Nothing blocks: signed with 1 accepted gaps" in drawn(of, register=register).text


def test_evidence_is_linked_with_environment_age_and_verdict_and_what_does_not_count_says_why() -> None:
    page = drawn(everything(), register=claims.REGISTER)
    hrefs = [unquote(href) for href in page.values("href")]
    assert f"../new/report.html#judgement-{CLAIM}" in hrefs
    assert "fail scaling, kind, 24 h ago" in page.text
    assert "4 runs count, 1 do not; none is older than 7 days" in page.text
    assert "simulated: no evidence for a sign-off" in page.text


def test_what_changed_since_the_last_page() -> None:
    text = drawn(
        made(
            stored("new", judgement(OTHER, Verdict.FAIL)), previous=made(stored("old", judgement(OTHER, Verdict.PASS)))
        )
    ).text
    assert f"{OTHER}: shown → ✗ failed" in text
    assert "There is no earlier page" in drawn(made()).text
    assert "No claim stands elsewhere." in drawn(made(previous=made())).text
    assert "It was of another" not in text
    older = msgspec.structs.replace(ASKED, digests=("sha256:2222",))
    changed_ = document(REGISTER, (), ASKED, previous=msgspec.structs.replace(made(), asked=older))
    assert "It was of another program or image (sha256:2222)." in drawn(changed_).text
    for was, now in (((), ("one",)), (("one",), ("one", "image")), (("one", "image"), ("image",))):  # one was not known
        before, today = (msgspec.structs.replace(ASKED, digests=digests) for digests in (was, now))
        earlier = msgspec.structs.replace(made(), asked=before)
        assert not document(claims.REGISTER, (), today, previous=earlier).other, (was, now)
    rebuilt = msgspec.structs.replace(ASKED, digests=("one", "other"))
    earlier = msgspec.structs.replace(made(), asked=msgspec.structs.replace(ASKED, digests=("one", "image")))
    assert document(claims.REGISTER, (), rebuilt, previous=earlier).other
    foreign = msgspec.structs.replace(made(), asked=msgspec.structs.replace(ASKED, target="another"))
    assert made(previous=foreign).previous_utc == ""


def test_a_person_s_claims_stand_in_a_table_with_the_facts_that_bear_on_them() -> None:
    register = changed(load__stages={"shown_on": ShownOn.KIND, "about_go_backend": False, "errata": ()})
    of = made(stored("run", judgement("load.stages", Verdict.PASS)), register=register)
    text = drawn(of, register=register).text
    section = text[text.index("No rehearsal judges these") :]
    assert (
        claims.REGISTER["checklist.performance.load_plan"].says in section
        and "✓ shown load.stages: Held in 1 of 1 runs on kind" in section
    )


def whole() -> Signoff:
    """A verdict under every id from each of six runs, as a night on two environments leaves them."""
    told = (raw_text("what was seen of it, in as many words as a judgement has where it says why it is what it is"),)
    every = [
        judgement(claim.id, Verdict.PASS if number % 3 else Verdict.INCONCLUSIVE, told=told, part=f"part {number % 4}")
        for number, claim in enumerate(claims.REGISTER.values())
    ]
    plans = ("rollout", "load_stages", "scaling", "chaos", "dr_restore", "network")
    runs = [stored(f"20260109T000000Z-{name}-s1-1234-abcd", *every, rehearsal=name) for name in plans]
    left = (stored(f"left {number}", *every, target="another") for number in range(40))
    return made(*runs, *left, register=claims.REGISTER)


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_whole_night_s_page_and_its_errata_are_below_1_mb(code: str) -> None:
    of, say = whole(), language(code)
    page = html(of, code, claims.REGISTER)
    assert 100_000 < len(page.encode()) < 1_000_000
    assert 50_000 < len(errata(of, claims.REGISTER, KNOWN, say, "other.md").encode()) < 1_000_000
    assert "./errata.md" in Page(page).values("href")


def test_a_stored_page_is_drawn_without_a_claim_that_came_since_and_one_that_went() -> None:
    of = everything()
    before = msgspec.structs.replace(of, standings=of.standings[1:])
    assert f"claim-{of.standings[0].claim}" not in drawn(before, register=claims.REGISTER).values("id")
    left = {name: claim for name, claim in claims.REGISTER.items() if name not in (CLAIM, LOST)}
    assert CLAIM not in [href.removeprefix("#claim-") for href in drawn(of, register=left).values("href")]


# -- the terminal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_terminal_has_at_most_30_lines_of_80_columns_and_the_decision_last(code: str) -> None:
    say = language(code)
    void = [accepted(name, until="2026-01-09") for name in [*REGISTER][:9]]
    of = made(stored("run", judgement(CLAIM, Verdict.FAIL)), decisions=void, lines=["scaling --on kind"])
    lines = [*closing_lines(of, REGISTER, "reports/signoff/signoff.html", say, Exit.HOLD)]
    assert sum(-(-columns(line) // 80) for line in lines) <= 30
    assert sum("decisions.yaml:7" in line for line in lines) == 3
    assert lines[-1].startswith(headline(of, say)) and "10" in lines[-1]
    assert "reports/signoff/signoff.html" in lines[-2]
    risk = next(number for number, line in enumerate(lines) if say(CONSEQUENCE[Consequence.DATA_LOST]) in line)
    assert of.blockers[0].of in lines[risk + 1]


def test_the_next_command_is_that_of_the_gravest_blocker_that_has_one_and_else_the_template() -> None:
    def after(of: Signoff) -> list[str]:
        lines = closing_lines(of, REGISTER, "x", language("en"), Exit.HOLD)
        return [line.partition(" of them: ")[2] for line in lines if line.startswith("next, for ")]

    of = made(lines=["scaling --on kind"])
    assert "scaling was not run" in {say_.told(each.told, "") for say_ in [language("en")] for each in of.blockers}
    assert after(of) == [next(each.way for each in of.blockers if each.way)]
    people = msgspec.structs.replace(of, blockers=tuple(each for each in of.blockers if not each.way))
    assert after(people) == ["python3 -m harness signoff --template > decisions.yaml"]
    assert after(msgspec.structs.replace(of, blockers=())) == []


# -- the command -----------------------------------------------------------------------------------------------------


def signoff(reports: Path, *words: str) -> int:
    return main(["signoff", "--reports", str(reports), *words])


def read(reports: Path) -> Signoff:
    return msgspec.json.decode((reports / FOLDER / DOCUMENT).read_bytes(), type=Signoff)


def test_a_reports_folder_that_is_not_there_is_refused_and_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert signoff(tmp_path / "typo") == Exit.USAGE
    told = capsys.readouterr().err
    assert f"there is no reports folder {tmp_path / 'typo'}" in told and "nothing was run" not in told
    assert signoff(tmp_path, "--digest", "foo") == Exit.USAGE
    assert "--digest: 'foo' is no digest" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_evidence_it_ends_in_10_and_writes_both_pages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    assert signoff(tmp_path / "none") == Exit.HOLD
    told = capsys.readouterr().out
    assert "0 of 0 stored runs in " in told and told.endswith("(exit status 10)\n")
    assert all((tmp_path / "none" / FOLDER / name).is_file() for name in (*PAGES.values(), *ERRATA.values()))


def test_stored_runs_are_gathered_with_those_of_sequences_and_what_is_broken_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored runs, of the bundled API as it is today, whose judges say the same."""
    judged_as_stored(monkeypatch)
    names = ("load_stages_passes", "scaling_parts", "secret_rotation_kind", "dr_restore", "conformance")
    for name in names:
        _store(tmp_path / (f"sequence/{name}" if name == "scaling_parts" else name), name)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/result.json").write_text("{")
    (tmp_path / "latest").symlink_to(names[0])
    (tmp_path / "sequence/latest").symlink_to("scaling_parts")
    assert signoff(tmp_path, "--json", "--max-age", "20000d") == Exit.HOLD
    of = msgspec.json.decode(capsys.readouterr().out, type=Signoff)
    assert of == read(tmp_path)
    assert sorted(run.folder for run in of.runs if not run.left_out) == sorted(
        (*names[:1], "sequence/scaling_parts", *names[2:])
    )
    assert of.unreadable == ("broken",)
    states = {each.claim: each.state for each in of.standings}
    assert states["load.pod_capacity"] is ClaimState.NOT_SHOWN and ClaimState.SHOWN in states.values()
    for name in PAGES.values():
        assert (tmp_path / FOLDER / name).stat().st_size < 1_000_000
    assert signoff(tmp_path, "--max-age", "20000d") == Exit.HOLD
    assert "5 of 5 stored runs in " in capsys.readouterr().out
    assert signoff(tmp_path, "--digest", "sha256:0000") == Exit.HOLD
    still = {run.folder: english(run.limits) for run in read(tmp_path).runs if not run.left_out}
    assert still.keys() == {"dr_restore", "sequence/scaling_parts"}, "they judge what depends on no program, too"
    assert all("another program or image" in limits for limits in still.values())
    assert len([*(tmp_path / FOLDER / PREVIOUS).iterdir()]) == 1
    voided = [each.claim for each in read(tmp_path).changes]
    assert voided and all(Dependency.PROGRAM in claims.REGISTER[claim].rests_on for claim in voided)


def test_stored_runs_are_judged_by_today_s_judges_and_what_they_cannot_judge_shows_nothing(tmp_path: Path) -> None:
    """A run that says of itself that all passed, judged by what it wrote; then one without its plan."""
    shutil.copytree(today.folder("cost"), tmp_path / "run")
    result = RESULT.read(tmp_path / "run/result.json")
    facts = msgspec.structs.replace(result.facts, target=bundled().name, target_digest=digest(bundled()))
    better = tuple(msgspec.structs.replace(each, verdict=Verdict.PASS, erratum="") for each in result.judgements)
    digested = summed(tmp_path / "run" / EVIDENCE)[-1]
    left = msgspec.structs.replace(result, facts=facts, judgements=better, evidence_digest=digested)
    RESULT.write(tmp_path / "run", left)
    assert signoff(tmp_path, "--max-age", "20000d") == Exit.HOLD
    of = read(tmp_path)
    verdicts = {each.judgement.verdict for standing in of.standings for each in standing.evidence}
    assert not of.runs[0].left_out and Verdict.ERRATUM_SHOWN in verdicts
    (tmp_path / "run/plan.json").unlink()
    assert signoff(tmp_path, "--max-age", "20000d") == Exit.HOLD
    of = read(tmp_path)
    assert "it cannot be judged again" in english(of.runs[0].limits)
    assert {each.state for each in of.standings} == {ClaimState.NOT_SHOWN}


def page_of(target: str, *found: StoredResult) -> Signoff:
    return document(claims.REGISTER, found, msgspec.structs.replace(ASKED, target=target))


def test_the_last_page_of_each_target_is_kept(tmp_path: Path) -> None:
    """Two targets by turns."""
    first, other = page_of("a", stored("run", judgement(CLAIM, Verdict.PASS), target="a")), page_of("b")
    keep(tmp_path, first)
    keep(tmp_path, other)
    assert previous(tmp_path, "a") == first and previous(tmp_path, "b") == other
    again = page_of("a")
    keep(tmp_path, again)
    assert previous(tmp_path, "a") == again and previous(tmp_path, "b") == other
    assert previous(tmp_path, "c") is None


@pytest.mark.parametrize("at", [0, 1])
def test_a_page_that_cannot_be_written_takes_nothing_away(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full before the last page is kept, and between that and the new one."""
    last = page_of("a")
    keep(tmp_path, last)
    written: list[Path] = []

    def full(path: Path, content: bytes) -> Path:
        if len(written) == at:
            raise EvidenceNotWritten("no space")
        written.append(path)
        return write_atomically(path, content)

    monkeypatch.setattr("harness.report.signoff.gather.write_atomically", full)
    with pytest.raises(EvidenceNotWritten):
        keep(tmp_path, page_of("b"))
    assert previous(tmp_path, "a") == last and previous(tmp_path, "b") is None


def _store(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    result = today.result(name)
    facts = msgspec.structs.replace(result.facts, target=bundled().name, target_digest=digest(bundled()))
    RESULT.write(folder, msgspec.structs.replace(result, facts=facts))
    evidence_of(folder, result.run_id)


def _own(folder: Path, **more: Any) -> Target:
    """A target of files that say "one"."""
    for name in ("walk-api", "migrate", "conf.yaml", "lib/walks", "lib/inner/walks", "lib/__pycache__/walks"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("one")
    given = {"command": (str(folder / "walk-api"), "--config=conf.yaml"), "folder": str(folder)}
    return Target(**{"name": "ours", "environment": {"A": "1"}, **given, **more})


CHANGES: dict[str, tuple[dict[str, Any], Callable[[Path], Any], bool]] = {
    "the program": ({}, lambda at: (at / "walk-api").write_text("two"), True),
    "what the command names": ({}, lambda at: (at / "conf.yaml").write_text("two"), True),
    "a word of the command": ({}, lambda at: {"command": (str(at / "walk-api"), "--fast")}, True),
    "a variable": ({}, lambda _: {"environment": {"A": "2"}}, True),
    "the migrations' program": ({"migrations": ("migrate",)}, lambda at: (at / "migrate").write_text("two"), True),
    "a word of the migrations": ({"migrations": ("migrate",)}, lambda _: {"migrations": ("migrate", "up")}, True),
    "what nobody names": ({}, lambda at: (at / "lib/walks").write_text("two"), False),
    "a module": ({"program": ("lib",)}, lambda at: (at / "lib/inner/walks").write_text("two"), True),
    "a module moved": ({"program": ("lib",)}, lambda at: (at / "lib/walks").rename(at / "lib/inner/other"), True),
    "what is made as it runs": (
        {"program": ("lib",)},
        lambda at: (at / "lib/__pycache__/walks").write_text("2"),
        False,
    ),
    "the program beside what is listed": ({"program": ("lib",)}, lambda at: (at / "walk-api").write_text("two"), True),
    "an image's variable": ({"command": (), "image": "a@sha256:abc"}, lambda _: {"environment": {}}, True),
    "an image": ({"command": (), "image": "a@sha256:abc"}, lambda _: {"image": "a@sha256:abd"}, True),
    "a built image's source": (
        {"command": (), "dockerfile": "Dockerfile", "program": ("lib",)},
        lambda at: (at / "lib/walks").write_text("two"),
        True,
    ),
}


@pytest.mark.parametrize(("more", "change", "another"), CHANGES.values(), ids=CHANGES)
def test_what_ran_is_what_is_judged(
    more: dict[str, Any], change: Callable[[Path], Any], another: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence of a program counts for that one alone: for its files, its words, its variables and its migrations."""
    monkeypatch.chdir(tmp_path)
    target = _own(tmp_path, **more)
    before = digest(target)
    changed = change(tmp_path)
    now = digest(msgspec.structs.replace(target, **changed) if isinstance(changed, dict) else target)
    assert before.startswith("sha256:") and now.startswith("sha256:") and (now != before) is another
    run = stored("run", judgement(CLAIM, Verdict.PASS), target="ours", target_digest=before)
    of = document(claims.REGISTER, (run,), msgspec.structs.replace(ASKED, target="ours", digests=(now,)))
    assert (not of.runs[0].left_out) is not another


def test_an_image_alone_is_known_by_its_own_digest_and_what_is_not_there_by_none(tmp_path: Path) -> None:
    target = _own(tmp_path, environment={}, command=(), image="registry.example/walk-api@sha256:abc")
    assert digest(target) == "sha256:abc"
    assert digest(bundled()) == digest(bundled()) != ""
    for more in ({"dockerfile": "Dockerfile", "command": ()}, {"command": ("gone",)}, {"command": ()}):
        assert digest(_own(tmp_path, **more)) == ""


def test_a_run_says_by_which_code_it_was_made_and_judged_and_not_how_it_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TargetIdentity(bundled()).facts["harness_digest"] == harness_digest()
    monkeypatch.setattr("harness.stack.environments.identity.ROOT", tmp_path)
    found = []
    for name in (
        "harness/rules/a.py",
        "scenarios/b.yaml",
        "harness/report/c.py",
        "harness/report/signoff/d.py",
        "chaos/e.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
        found.append(harness_digest.__wrapped__())
    assert found[0] != found[1] == found[2] == found[3] != found[4]


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("launch", False),
        ("launch start", False),
        ("launch run .", False),
        ("launch main:app", False),
        ("launch server.py --port 8000", False),
        ("launch -u server.py", False),
        ("./path/launch server.py", False),
        ("./linked server.py", False),
        ("./run.sh", False),
        ("./python3.11 server.py", False),
        ("./venv/node server.js", False),
        ("./walk-api --config conf.py", True),
        ("./launch start", True),
    ],
)
@pytest.mark.parametrize("migrates", [False, True])
def test_a_command_that_hides_its_program_asks_for_it(
    words: str, known: bool, migrates: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("path/launch", "launch", "walk-api", "server.py", "conf.py", "run.sh", "python3.11", "venv/node"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("#!/bin/sh\nexec ./walk-api\n" if name == "run.sh" else name)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "linked").symlink_to("path/launch")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.chdir(tmp_path)
    commands = ["command: ./walk-api", f"migrations: {words}"] if migrates else [f"command: {words}"]
    digests = []
    for listed in ([], ["program: [server.py, path]"]):
        Path("t.yaml").write_text("\n".join((*commands, *listed)))
        digests.append(digest(resolve("t.yaml")))
    assert (bool(digests[0]), bool(digests[1])) == (known, True)
    (tmp_path / "server.py").write_text("another")
    assert digest(resolve("t.yaml")) != digests[1]
    Path("t.yaml").write_text("command: ./walk-api\nprogram: [gone]")
    with pytest.raises(BadInput, match="gone is no file"):
        resolve("t.yaml")
