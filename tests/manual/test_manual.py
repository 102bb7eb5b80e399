"""What of the manual is made is current, small, and tells nobody whose machine it was made on."""

from __future__ import annotations

import io
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from babel.messages.pofile import read_po

from harness.base.errors import BadInput
from harness.base.plantypes import keys_of
from harness.cli.kinds import KINDS
from harness.cli.main import ALL
from harness.cli.stored import signoff
from harness.cli.stored.signoff import write_pages
from harness.report.language import DOMAINS, catalogue_file
from harness.report.published import RESULT, RESULT_JSON
from harness.report.signoff.gather import DOCUMENT
from harness.report.signoff.types import Signoff
from harness.run.command import flags
from tests.corpus.scrub import FORBIDDEN
from tests.manual import claims, reference, sample, screen
from tests.register import CHAPTERS, REGISTER

FOLDERS = sorted(path for path in sample.SAMPLES.iterdir() if path.is_dir())
SAMPLES = [path for path in FOLDERS if (path / RESULT_JSON).is_file()]
SIGNOFFS = [path for path in FOLDERS if (path / DOCUMENT).is_file()]
MOST_BYTES = 1_000_000


def test_the_reference_is_current() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run: nox -s manual"


@pytest.mark.parametrize("code", claims.PAGES)
def test_the_page_of_claims_is_current_and_has_every_claim(code: str) -> None:
    page = claims.PAGES[code].read_text()
    assert page == claims.page(code), "run: nox -s manual"
    assert page.count("\n### ") == len(REGISTER) and page.count("\n## ") == len(CHAPTERS)


def test_the_reference_has_every_key_and_option_with_its_default_and_meaning() -> None:
    page = reference.page()  # which a key without a meaning would break
    for row in (
        "| `blackout` | a duration | `5s` | so long without one good probe fires every rollback limit on availability |",
        "| **`flag_on`** | a whole number from 0 to 2,000 |  | how many of them have the flag on, the first ones |",
        "| `unharmed` | `true` or `false` | `false` | With `unharmed` requests are as fast as without the fault. |",
        "| `--max-age` | TIME | 7d | the oldest evidence that counts | `signoff` |",
    ):
        assert row in page
    assert page.count("\n## ") == len(KINDS) + 1
    assert {flag for entry in ALL.values() for flag in flags(entry.load())} <= {*re.findall(r"--[a-z-]+", page)}
    keys = {(name, key) for name, each in reference.STRUCTS.items() for key in (*keys_of(each), "name")}
    assert {*reference.MEANINGS} <= {key for _, key in keys} | {f"{name}.{key}" for name, key in keys}


@pytest.mark.parametrize("folder", SAMPLES, ids=lambda folder: folder.name)
def test_a_sample_is_of_a_real_run_small_and_nobody_s(folder: Path) -> None:
    assert RESULT.read(folder / RESULT_JSON).facts.rung != "sim"
    small_and_nobodys(folder)
    assert {RESULT_JSON, *sample.PAGES.values()} <= {path.name for path in folder.iterdir()}


def small_and_nobodys(folder: Path) -> None:
    for path in folder.iterdir():
        assert path.stat().st_size < MOST_BYTES, path
        assert not FORBIDDEN.search(path.read_text()), path


@pytest.mark.parametrize("folder", SIGNOFFS, ids=lambda folder: folder.name)
def test_a_sign_off_s_sample_is_of_real_runs_and_its_pages_are_made_of_its_document(
    folder: Path, tmp_path: Path
) -> None:
    made = msgspec.json.decode((folder / DOCUMENT).read_bytes(), type=Signoff)
    assert made.asked.digests and any(not run.left_out for run in made.runs)
    assert len(made.standings) == len({each.claim for each in made.standings}) and all(
        each.told for each in made.standings
    )
    small_and_nobodys(folder)
    write_pages(tmp_path, made)
    for name in (*signoff.PAGES.values(), *signoff.ERRATA.values()):
        assert (folder / name).read_text() == (tmp_path / name).read_text(), "run: nox -s manual"


def texts(node: Any) -> Iterator[str]:
    """Of every message in a document, its id."""
    if isinstance(node, dict) and "text" in node and {*node} <= {"text", "values"}:
        yield node["text"]
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from texts(each)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_sample_says_what_today_s_code_says(folder: Path) -> None:
    """Its Japanese pages are drawn anew of what is stored: of an id that is gone they have the English."""
    known = {each.id for name in DOMAINS for each in read_po(io.BytesIO(catalogue_file("ja", name).read_bytes()))}
    said = {text for path in folder.glob("*.json") for text in texts(msgspec.json.decode(path.read_bytes()))}
    gone = said - known
    assert said and not gone, f"take the sample again, nox -s manual -- sample NAME RUN FILE: {gone}"


@pytest.mark.parametrize("folder", SAMPLES, ids=lambda folder: folder.name)
def test_a_sample_s_pages_show_its_own_result(folder: Path) -> None:
    result = RESULT.read(folder / RESULT_JSON)
    for code, name in sample.PAGES.items():
        page = (folder / name).read_text()
        assert f'<html lang="{code}">' in page and result.run_id in page and result.facts.replay in page


def test_the_picture_of_the_terminal_shows_what_was_recorded() -> None:
    (week,) = (folder for folder in SAMPLES if (folder / sample.TERMINAL).is_file() and folder.name == "rollout_week3")
    drawn = screen.drawn((week / sample.TERMINAL).read_text(), f"The terminal of {week.name}")
    assert (sample.PICTURES / "terminal.svg").read_text() == drawn


def test_pictures_are_small_and_fit_a_screen() -> None:
    for path in sample.PICTURES.iterdir():
        data = path.read_bytes()
        (height,) = struct.unpack(">I", data[20:24]) if path.suffix == ".png" else re.findall(rb' height="(\d+)"', data)
        assert len(data) < 300_000 and int(height) <= (844 if "phone" in path.name else 800), path


def test_a_simulated_run_is_no_sample(tmp_path: Path) -> None:
    real = RESULT.read(SAMPLES[0] / RESULT_JSON)
    text = RESULT.encode(real).replace(b'"rung": "local"', b'"rung": "sim"').replace(b'"rung":"local"', b'"rung":"sim"')
    (tmp_path / RESULT_JSON).write_bytes(text)
    with pytest.raises(BadInput, match="a simulated run is no sample"):
        sample.take(tmp_path, None, "never")
    assert not (sample.SAMPLES / "never").exists()


def test_a_sample_is_taken_without_paths_and_what_others_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "SAMPLES", tmp_path / "samples")
    shutil.copytree(SAMPLES[0], tmp_path / "run")
    terminal = tmp_path / "tty"
    terminal.write_bytes(
        b"one 1/2\r\x1b[2Kone 2/2\r\n[   4.8 s] left by a killed run: run 7\r\n"
        b"[   4.9 s] left alone, as made on another machine: x\r\nreport: /tmp/reports/x, box\r\n"
    )
    sample.take(tmp_path / "run", terminal, "taken", host="box")
    assert (tmp_path / "samples/taken/terminal.txt").read_text() == "one 2/2\nreport: /scratch/reports/x, machine\n"


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("a\r\nb\r\n", "a\nb\n"),
        ("window 1\r\x1b[2Kw 2\r\n", "w 2\n"),
        ("abcd\rxy\r\n", "xycd\n"),
        ("\x1b[1;32mpass\x1b[0m 1\r\n", "pass 1\n"),
        ("one\r\ntwo\r\n\x1b[2A\x1b[2KONE\r\n\x1b[2KTWO\r\n", "ONE\nTWO\n"),
        ("one\r\ntwo\r\n\x1b[1A\x1b[Jend\r\n", "one\nend\n"),
        ("abc\b\b\x1b[K!\r\n", "a!\n"),
    ],
)
def test_the_screen_shows_what_a_terminal_would(recorded: str, shown: str) -> None:
    assert screen.shown(recorded) == shown


def test_a_line_that_is_too_long_ends_in_an_ellipsis_and_marks_are_escaped() -> None:
    drawn = screen.drawn("x" * 20 + "\n\n<a> & b\n", "t", columns=10)
    assert ">xxxxxxxxx…</text>" in drawn and "&lt;a&gt;" in drawn and drawn.count("<text") == 2
