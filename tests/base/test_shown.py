"""Text of a target's on its way out: a terminal, a log and a reader of GitHub's show what they would have obeyed."""

from __future__ import annotations

import io
import json
import re
import sys
import xml.etree.ElementTree as Tree
from pathlib import Path

import pytest

from harness.base.errors import Exit, StackNotStarted
from harness.base.phase import PhaseLine, PhaseRow
from harness.base.progress import Progress
from harness.base.shown import escaped, escaping, shown, with_codes
from harness.cli import main as command_line
from harness.report import markdown
from harness.report.write_all import xml_text
from harness.stack.process.processes import tail
from tests.base.test_progress import Moved

#: Clears the screen, writes the clipboard, colours a word; C1's own control sequence, and text from right to left.
CODES = "\x1b[2J\x1b]52;c;cm0=\x07\x1b[1;32mdecision: ADVANCE\x1b[0m \x9b2J \u202egnp.exe\u2066 \x7f\x00\r"
WORDS = f"[red]a target's words[/red] {CODES}"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: What rich and the harness write of their own: colours, a cursor that moves, rows that are erased.
OURS = re.compile(r"\x1b\[(\?25[lh]|[0-9;]*[mAJK])|\r")


def test_what_is_obeyed_is_shown_and_the_rest_stays() -> None:
    assert shown("a\tb\né 散歩 🙂 \\x1b") == "a\tb\né 散歩 🙂 \\x1b"
    assert shown("\x1b[2J\x9b\u202e\x7f\r") == "\\x1b[2J\\u009b\\u202e\\u007f\\x0d"
    assert not OBEYED.search(shown(WORDS)) and shown(shown(WORDS)) == shown(WORDS)
    assert json.loads(shown(json.dumps(WORDS, ensure_ascii=False))) == WORDS


class Dies:
    """A command that ends with a part that died, whose log holds a target's words."""

    lang, name = "en", "run"

    def __init__(self, log: Path) -> None:
        self.log = log

    def run(self) -> int:
        sys.stdout.write(f"{WORDS}\n")
        print(WORDS, file=sys.stderr)
        raise StackNotStarted(f"api-1: died\n{tail(self.log)}", where=WORDS)


def test_a_command_shows_what_a_target_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").write_text(f"{WORDS}\n")
    monkeypatch.setattr(command_line, "parse", lambda _words, *_: Dies(tmp_path / "log"))
    before = sys.stdout, sys.stderr
    assert command_line.main(["run"]) == Exit.STACK
    assert (sys.stdout, sys.stderr) == before
    out, err = capsys.readouterr()
    assert not OBEYED.search(out + err)
    assert out.count("\\x1b[2J") == 1 and err.count("\\x1b[2J") == 3


class OnATerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_obeys_our_own_codes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = OnATerminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with escaping():
        progress = Progress(Moved())
        progress(WORDS)
        progress.begin(WORDS, lasts_s=100)
        progress.live(WORDS)
        progress.draw()
        progress(WORDS)
        progress.live("", [PhaseRow(WORDS, WORDS, WORDS, "good")])
        sys.stderr.write(f"{WORDS}\n")
        progress.closing([PhaseLine(WORDS, WORDS, "good"), PhaseLine(WORDS, bold=True)])
    written = stream.getvalue()
    assert "\x1b[1m" in written and "\x1b[32m" in written, "our own colours"
    left = OURS.sub("", written)
    assert not OBEYED.search(left) and not re.search(r"\x1b\[1;32m *decision", written)
    assert left.count("[red]a target's words[/red]") >= 6, "rich's markup is text as well"
    assert sys.stderr is stream


def test_a_stream_is_wrapped_once_and_is_the_one_below_in_all_else() -> None:
    below = io.StringIO()
    stream = escaped(below)
    assert escaped(stream) is stream and with_codes(stream) is below and with_codes(below) is below
    stream.writelines(["\x1b", "\n"])
    assert stream.write("\x1b") == 1 and below.getvalue() == "\\x1b\n\\x1b" and not stream.isatty()


def test_pages_that_github_reads_show_it_too() -> None:
    for text in (markdown.plain(WORDS), markdown.code(WORDS), xml_text(WORDS)):
        assert not OBEYED.search(text) and "u202e" in text
    assert Tree.fromstring(f"<a>{xml_text(CODES)}</a>").text


def test_a_job_of_github_obeys_no_command_of_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "a\n  ::add-mask::a\n::error::b ##[error]c 127.0.0.1::1"
    assert shown(said) == said
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert shown(said) == "a\n  \\u003a:add-mask::a\n\\u003a:error::b \\u0023#[error]c 127.0.0.1::1"
