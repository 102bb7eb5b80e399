"""The page: what blocks first, every claim once, links that lead to the runs; and the command that writes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from harness.base.errors import BadInput, EvidenceNotWritten, Exit
from harness.cli.main import main
from harness.cli.stored.signoff import ERRATA, PAGES
from harness.model.message import verbatim
from harness.model.stack import Rung, Target
from harness.model.verdict import Verdict
from harness.report.files import write_atomically
from harness.report.language import LANGUAGES, language
from harness.report.published import RESULT
from harness.signoff.document import document
from harness.signoff.errata import errata
from harness.signoff.gather import DOCUMENT, FOLDER, PREVIOUS, keep, previous
from harness.signoff.page import SIGN, render
from harness.signoff.types import Signoff, State, Stored
from harness.stack.identity import Identity, digest, harness_digest
from harness.stack.targets import bundled, resolve
from scenarios import claims
from tests.corpus import again
from tests.report.page import Page
from tests.report.results import NASTY
from tests.signoff.made import ASKED, evidence_of, judgement, stored
from tests.signoff.test_errata import KNOWN

CLAIM, OTHER = "scaling.time.manual_up", "scaling.time.manual_down"


def made(*found: Stored, previous: Signoff | None = None) -> Signoff:
    return document(claims.REGISTER, found, ASKED, previous=previous)


def drawn(of: Signoff, code: str = "en") -> Page:
    return Page(render(of, claims.REGISTER, claims.CHAPTERS, language(code), other="other.html", errata="errata.md"))


def everything() -> Signoff:
    """Every state, every verdict, evidence that counts and that does not, and a change."""
    nasty = (verbatim(NASTY),)
    before = made(stored("old", judgement(CLAIM, Verdict.PASS)))
    return made(
        stored("new", judgement(CLAIM, Verdict.FAIL, told=nasty), judgement(OTHER, Verdict.PASS, part=NASTY)),
        stored("shown", judgement("dr.restore.step2", Verdict.ERRATUM_SHOWN, erratum="dr.configmap_changes_nothing")),
        stored("left", judgement("manifest.pdb", Verdict.NOT_EXERCISED)),
        stored("unsure", judgement("dr.rto", Verdict.INCONCLUSIVE)),
        stored(f"sim {NASTY}".replace("/", ""), judgement(OTHER, Verdict.PASS), rung=Rung.SIM, replay=NASTY),
        previous=before,
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_claim_stands_once_with_its_state_and_what_blocks_stands_first(code: str) -> None:
    of = everything()
    page = drawn(of, code)
    assert not page.unbalanced and not page.open and "script" not in page.tags
    ids = page.values("id")
    assert sorted(each for each in ids if each.startswith("claim-")) == sorted(
        f"claim-{name}" for name in claims.REGISTER
    )
    assert len(ids) == len(set(ids))
    assert {href.removeprefix("#") for href in page.values("href") if href.startswith("#")} <= set(ids)
    say, text = language(code), page.text
    assert text.index(say("What blocks")) < text.index(say("Checklist before Phase 2"), text.index(say("What blocks")))
    assert {each.state for each in of.standings} == {*State}
    assert all(sign in text for sign in SIGN.values())


def test_the_first_screen_names_what_is_not_ready_and_says_what_is_to_be_corrected() -> None:
    page = drawn(everything())
    links = [href for href in page.values("href") if href.startswith("#")]
    assert links[:4] == ["#blocks", f"#claim-{CLAIM}", "#claim-dr.rto", "#chapter-12"]
    assert "What blocks: scaling.time.manual_up, dr.rto" in page.text
    assert "1 errata were shown by runs: correct the document there before anybody signs it." in page.text
    many = drawn(whole())
    assert re.search(r"What blocks: (\S+, ){11}\S+ and \d+ more", many.text)
    assert "errata were shown" not in drawn(made()).text


@pytest.mark.parametrize(("verdict", "doubted"), [(None, 1), (Verdict.NOT_EXERCISED, 1), (Verdict.ERRATUM_SHOWN, 0)])
def test_a_claim_that_is_ready_with_an_erratum_that_no_run_showed_says_so(
    verdict: Verdict | None, doubted: int
) -> None:
    """One found by reading, and one that a run was to look at and could not."""
    claim = claims.REGISTER["slo.error_ratio.budget"]
    (erratum,) = claim.errata
    found = [judgement(claim.id, Verdict.PASS)]
    if verdict is not None:
        found.append(judgement(claim.id, verdict, id="beside", erratum=erratum.id))
    text = drawn(made(stored("run", *found))).text
    assert text.count("1 of the claims that are ready have an erratum that no run showed") == doubted
    assert text.count("✓ready≠ with an erratum") == doubted
    assert text.count(f"Erratum of the register, seen by no run that counts: {erratum.id}") == doubted


def test_evidence_is_linked_with_environment_age_and_verdict_and_what_does_not_count_says_why() -> None:
    page = drawn(everything())
    hrefs = [unquote(href) for href in page.values("href")]
    assert f"../new/report.html#judgement-{CLAIM}" in hrefs
    assert "fail scaling, kind, 24 h ago" in page.text
    assert "5 runs count" not in page.text and "4 runs count, 1 do not; none is older than 7 days" in page.text
    assert "simulated: no evidence for a sign-off" in page.text


def test_what_changed_since_the_last_page() -> None:
    text = drawn(everything()).text
    assert f"{CLAIM}: ready → ✗ not ready" in text
    assert f"{OTHER}: not exercised → ✓ ready" in text
    assert "There is no earlier page" in drawn(made()).text
    assert "No claim stands elsewhere." in drawn(made(previous=made())).text
    assert "It was of another" not in text and "Another version" not in text
    older = msgspec.structs.replace(ASKED, digests=("sha256:2222",), harness_digest="sha256:3333")
    asked = msgspec.structs.replace(ASKED, harness_digest="sha256:4444")
    changed = document(claims.REGISTER, (), asked, previous=msgspec.structs.replace(made(), asked=older))
    assert "It was of another program or image (sha256:2222). Another version of this repository" in drawn(changed).text
    for was, now in (((), ("one",)), (("one",), ("one", "image")), (("one", "image"), ("image",))):  # one was not known
        before, today = (msgspec.structs.replace(ASKED, digests=digests) for digests in (was, now))
        earlier = msgspec.structs.replace(made(), asked=before)
        assert not document(claims.REGISTER, (), today, previous=earlier).other, (was, now)
    rebuilt = msgspec.structs.replace(ASKED, digests=("one", "other"))
    earlier = msgspec.structs.replace(made(), asked=msgspec.structs.replace(ASKED, digests=("one", "image")))
    assert document(claims.REGISTER, (), rebuilt, previous=earlier).other
    foreign = msgspec.structs.replace(made(), asked=msgspec.structs.replace(ASKED, target="another"))
    assert made(previous=foreign).previous_utc == ""


def test_the_runs_say_where_other_code_than_todays_judged_them() -> None:
    runs = (
        stored("today", judgement(CLAIM, Verdict.PASS), harness_digest="sha256:3333"),
        stored("before", judgement(CLAIM, Verdict.PASS), harness_digest="sha256:4444"),
        stored("older", judgement(CLAIM, Verdict.PASS)),
    )
    of = document(claims.REGISTER, runs, msgspec.structs.replace(ASKED, harness_digest="sha256:3333"))
    text = drawn(of).text
    assert {run.folder: bool(run.judged_by) for run in of.runs} == {"today": False, "before": True, "older": True}
    assert not any(run.left_out for run in of.runs)
    assert "2 of the runs that count were judged by another version of this repository" in text
    assert text.count("exit status 0; judged by another version of this repository") == 1
    assert text.count("exit status 0; it does not say which version of this repository judged it") == 1
    assert "version of this repository" not in drawn(made(*runs)).text


def test_decisions_stand_in_a_table_with_the_facts_that_bear_on_them() -> None:
    text = drawn(made(stored("run", judgement("load.stages", Verdict.PASS)))).text
    section = text[text.index("No rehearsal judges these") :]
    assert "負荷試験計画書作成" in section and "✓ ready load.stages: as it was seen" in section


def whole() -> Signoff:
    """A verdict under every id from each of six runs, as a night on two environments leaves them."""
    told = (verbatim("what was seen of it, in as many words as a judgement has where it says why it is what it is"),)
    every = [
        judgement(claim.id, Verdict.PASS if number % 3 else Verdict.INCONCLUSIVE, told=told, part=f"part {number % 4}")
        for number, claim in enumerate(claims.REGISTER.values())
    ]
    plans = ("rollout", "load_stages", "scaling", "chaos", "dr_restore", "network")
    runs = [stored(f"20260109T000000Z-{name}-s1-1234-abcd", *every, rehearsal=name) for name in plans]
    return made(*runs, *(stored(f"left {number}", *every, target="another") for number in range(40)))


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_whole_night_s_page_and_its_errata_are_below_1_mb(code: str) -> None:
    of, say = whole(), language(code)
    html = render(of, claims.REGISTER, claims.CHAPTERS, say, other="other.html", errata="errata.md")
    assert 100_000 < len(html.encode()) < 1_000_000
    assert 50_000 < len(errata(of, claims.REGISTER, KNOWN, say, "other.md").encode()) < 1_000_000
    assert "./errata.md" in Page(html).values("href")


def test_a_stored_page_of_before_a_claim_came_is_drawn_without_it() -> None:
    of = made()
    before = msgspec.structs.replace(of, standings=of.standings[1:])
    assert f"claim-{of.standings[0].claim}" not in drawn(before).values("id")


def test_nothing_blocks_only_where_every_claim_is_shown_or_a_persons() -> None:
    passed = (judgement(claim.id, Verdict.PASS) for claim in claims.REGISTER.values() if not claim.state_from.person)
    of = made(stored("run", *passed))
    assert not of.blocked and "Nothing blocks" in drawn(of).text
    assert "What is left: to correct the errata, and what is a person's to decide." in drawn(of).text
    assert {each.state for each in of.standings} == {State.READY, State.PERSON}


# -- the command -----------------------------------------------------------------------------------------------------


def signoff(reports: Path, *words: str) -> int:
    return main(["signoff", "--reports", str(reports), *words])


def read(reports: Path) -> Signoff:
    return msgspec.json.decode((reports / FOLDER / DOCUMENT).read_bytes(), type=Signoff)


def test_a_reports_folder_that_is_not_there_is_refused_and_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert signoff(tmp_path / "typo") == Exit.USAGE
    assert f"there is no reports folder {tmp_path / 'typo'}" in capsys.readouterr().err
    assert signoff(tmp_path, "--digest", "foo") == Exit.USAGE
    assert "--digest: 'foo' is no digest" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_evidence_it_ends_in_10_and_writes_both_pages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    assert signoff(tmp_path / "none") == Exit.HOLD
    told = capsys.readouterr().out
    assert "0 of 0 runs that were found count" in told and "exit status 10" in told
    assert "errata were shown" not in told and "version of this repository" not in told
    assert all((tmp_path / "none" / FOLDER / name).is_file() for name in (*PAGES.values(), *ERRATA.values()))


def test_stored_runs_are_gathered_with_those_of_sequences_and_what_is_broken_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs of the corpus as today's, of the bundled API as it is today."""
    names = ("load_stages_passes", "scaling_parts", "secret_rotation_judged", "dr_restore_kind", "conformance_whole")
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
    assert states["scaling.time.manual_up"] is State.READY
    assert states["load.pod_capacity"] is State.NOT_EXERCISED
    for name in PAGES.values():
        assert (tmp_path / FOLDER / name).stat().st_size < 1_000_000
    assert signoff(tmp_path, "--max-age", "20000d") == Exit.HOLD
    told = capsys.readouterr().out
    assert "errata were shown by runs: correct" in told and "of the claims that are ready have an erratum" in told
    assert "5 of the runs that count were judged by another version of this repository" in told
    assert signoff(tmp_path, "--digest", "sha256:0000") == Exit.HOLD
    assert all(run.left_out for run in read(tmp_path).runs)
    assert len([*(tmp_path / FOLDER / PREVIOUS).iterdir()]) == 1 and len(read(tmp_path).changes) > 10


def page_of(target: str, *found: Stored) -> Signoff:
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

    monkeypatch.setattr("harness.signoff.gather.write_atomically", full)
    with pytest.raises(EvidenceNotWritten):
        keep(tmp_path, page_of("b"))
    assert previous(tmp_path, "a") == last and previous(tmp_path, "b") is None


def _store(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    result = again.result(name)
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
    states = {each.claim: each.state for each in of.standings}
    assert (states[CLAIM] is State.NOT_EXERCISED) is another


def test_an_image_alone_is_known_by_its_own_digest_and_what_is_not_there_by_none(tmp_path: Path) -> None:
    target = _own(tmp_path, environment={}, command=(), image="registry.example/walk-api@sha256:abc")
    assert digest(target) == "sha256:abc"
    assert digest(bundled()) == digest(bundled()) != ""
    for more in ({"dockerfile": "Dockerfile", "command": ()}, {"command": ("gone",)}, {"command": ()}):
        assert digest(_own(tmp_path, **more)) == ""


def test_a_run_says_by_which_code_it_was_made_and_judged_and_not_how_it_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Identity(bundled()).facts["harness_digest"] == harness_digest()
    monkeypatch.setattr("harness.stack.identity.ROOT", tmp_path)
    found = []
    for name in (
        "harness/judge/a.py",
        "scenarios/b.yaml",
        "harness/report/c.py",
        "harness/signoff/d.py",
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
