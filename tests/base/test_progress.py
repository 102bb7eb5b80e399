"""Progress: what is under way below the lines of a terminal, with nothing stale; never silent without one."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.base.clock import NS, MachineClock
from harness.base.errors import Exit
from harness.base.phase import Phase, PhaseLine, PhaseRow, english
from harness.base.progress import Heartbeat, Progress
from harness.base.virtual import ANCHOR
from harness.report.language import LANGUAGES, language
from tests.terminal import Terminal, watched

ROOT = Path(__file__).resolve().parents[2]
#: What a Japanese line has, and what it has not: four words of English with nothing but spaces between them, other than
#: names.
_JAPANESE, _SENTENCE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]"), re.compile("[A-Za-z]+(?: [a-z]{2,}){3}")


class Moved:
    """A clock that is moved by hand."""

    anchor = ANCHOR

    def __init__(self) -> None:
        self.at_s = 0.0

    def now_ns(self) -> int:
        return round(self.at_s * NS)

    def wall_ns(self) -> int:
        return self.now_ns()

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds


class Screened(io.StringIO):
    """A stream that is a terminal."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.terminal = Terminal(columns, 24)

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.terminal.write(text.replace("\n", "\r\n"))
        return len(text)


ROWS = [
    PhaseRow(
        "稼働率はとても長い文で、八十桁を超えるところまで続く名前を持つ基準である（成功基準）",
        "99.93 %",
        "合格",
        "good",
    ),
    PhaseRow(
        "a criterion whose words in English go on for much longer than a terminal of 80 columns", "1 s", "fail", "bad"
    ),
    PhaseRow("𠮟る🙂 and é, each of its own width", "–", "判定不能", "open"),
]


def on_screen(monkeypatch: pytest.MonkeyPatch) -> tuple[Progress, Moved, Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    clock, stream = Moved(), Screened(80)
    return Progress(clock, stream), clock, stream.terminal


def test_what_is_under_way_stands_below_the_lines_and_nothing_of_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, clock, terminal = on_screen(monkeypatch)
    progress.plain("the first line")
    progress.begin("測定中、" * 30, lasts_s=100)
    for second in range(0, 100, 7):
        clock.at_s = second
        progress.live("", ROWS[: 1 + second % 3])
        progress.draw()
        if second % 3 == 0:
            progress(f"はじめに{second}、" + "続く" * 40)
        lines = terminal.lines
        assert sum("━" in line for line in lines) <= 1
        assert sum(f"/{100} s" in line for line in lines) == 1
    assert any("1 s to go" in line or "2 s to go" in line for line in terminal.lines)
    progress.closing(
        [PhaseLine("どれも" * 40, "合格  "), PhaseLine("decision: advance", bold=True), PhaseLine("report: x")]
    )
    lines = [line for line in terminal.lines if line]
    assert lines[-2:] == ["decision: advance", "report: x"] and not any("━" in line for line in lines)
    assert lines[0] == "the first line" and len([line for line in lines if "はじめに" in line]) == 5
    assert [line[:14] for line in lines if "合格" in line] == ["  合格  どれもどれもどれ"]


def test_the_time_to_go_is_of_the_length_or_of_the_steps_that_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, clock, terminal = on_screen(monkeypatch)
    progress.begin("checks", of=4)
    progress.draw()
    assert any("0/4" in line for line in terminal.lines) and not any("to go" in line for line in terminal.lines)
    clock.at_s = 6
    progress.live("the second", done=1)
    progress.draw()
    said = "\n".join(terminal.lines)
    assert "1/4" in said and "about 18 s to go" in said and "the second" in said


def test_the_time_to_go_of_steps_is_told_once_a_tenth_is_done_and_is_never_more_than_the_most() -> None:
    def left(done: int, after_s: float, lasts_s: float = 300.0) -> str:
        return Phase("rolling back", 0, lasts_s=lasts_s, done=done, of=250).left(int(after_s * NS), english)

    assert (left(0, 1), left(8, 29)) == ("at most 299 s to go", "at most 271 s to go")
    assert (left(25, 30), left(25, 60), left(250, 300)) == (
        "about 270 s to go",
        "about 240 s to go",
        "at most 0 s to go",
    )
    assert (left(8, 29, 0), left(25, 60, 0)) == ("", "about 540 s to go")


@pytest.mark.parametrize(
    ("after_s", "counted", "left"),
    [
        (19, "19/20 s", "1 s to go"),
        (22.9, "23/20 s", "0 s to go"),
        (23, "23/20 s", "3 s longer than planned"),
        (38.6, "39/20 s", "19 s longer than planned"),
    ],
)
def test_a_phase_that_takes_longer_than_planned_says_so(after_s: float, counted: str, left: str) -> None:
    phase, now_ns = Phase("the mirror at 50 %", 0, lasts_s=20), round(after_s * NS)
    assert (phase.counted(now_ns, english), phase.left(now_ns, english)) == (counted, left)
    assert phase.share(now_ns) == pytest.approx(min(1.0, after_s / 20))


def test_a_terminal_that_becomes_narrow_is_drawn_in_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import ConsoleDimensions

    from harness.base import screen

    progress, _, terminal = on_screen(monkeypatch)
    monkeypatch.setattr(screen, "_size", lambda _: ConsoleDimensions(40, 24))
    progress.begin("a phase")
    progress.live("", ROWS)
    progress.draw()
    assert max(map(len, terminal.lines)) <= 40


@pytest.mark.parametrize("term", ["", "dumb"])
def test_a_terminal_that_cannot_draw_gets_plain_lines(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    clock, stream = Moved(), Screened(80)
    progress = Progress(clock, stream)
    progress.begin("measuring", lasts_s=40)
    clock.at_s = 11
    progress.live("p95 12 ms")
    assert stream.terminal.lines[:2] == [
        "[   0.0 s] measuring",
        "[  11.0 s] measuring: 11/40 s, 29 s to go | p95 12 ms",
    ]


def test_how_far_it_is_is_said_in_the_language_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    clock, stream = Moved(), Screened(80)
    progress = Progress(clock, stream)
    progress.say = language("ja")
    progress.begin("測定中", lasts_s=40)
    clock.at_s = 11
    progress.live("")
    assert stream.terminal.lines[1] == "[  11.0 s] 測定中: 11/40秒、残り29秒"


def test_without_a_terminal_a_live_line_is_said_now_and_then() -> None:
    clock, stream = Moved(), io.StringIO()
    progress = Progress(clock, stream)
    progress.begin("measuring", lasts_s=40)
    for second in range(40):
        clock.at_s = second
        progress.live(f"n={second}")
    assert [line.rpartition("n=")[2] for line in stream.getvalue().splitlines()[1:]] == ["0", "10", "20", "30"]


class Beaten:
    """A heartbeat in time of its own: once ``begun``, each wait moves the clock, and ends when that is at ``end_s``."""

    def __init__(self, end_s: float) -> None:
        self.clock, self.end_s = Moved(), end_s
        self.begun, self.over = threading.Event(), threading.Event()

    def wait(self, seconds: float) -> bool:
        assert self.begun.wait(30)
        self.clock.at_s += seconds
        if self.clock.at_s >= self.end_s:
            self.over.set()
        return self.over.is_set()


def test_a_command_that_says_nothing_is_heard_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    beaten = Beaten(100)
    with Heartbeat("judge", clock=beaten.clock, wait=beaten.wait, silent_s=20):
        beaten.begun.set()
        assert beaten.over.wait(30)
    said = capsys.readouterr().err.splitlines()
    assert said == [f"[{second:6.1f} s] still at work: judge" for second in (20, 40, 60, 80)]


def test_what_a_command_says_is_not_followed_by_a_line_of_the_heartbeat(capsys: pytest.CaptureFixture[str]) -> None:
    beaten = Beaten(70)
    with Heartbeat("run", clock=beaten.clock, wait=beaten.wait, silent_s=20):
        Progress(beaten.clock).begin("signing in")
        beaten.begun.set()
        assert beaten.over.wait(30)
    said = capsys.readouterr().err.splitlines()
    assert "signing in" in said[0] and all("signing in: " in line for line in said[1:]) and len(said) == 4


def test_a_heartbeat_leaves_no_thread_and_no_drawing() -> None:
    before = threading.active_count()
    with Heartbeat("run"):
        progress = Progress(MachineClock(), io.StringIO())
        progress.begin("a phase")

    assert Heartbeat.current is None and progress.phase is None
    assert threading.active_count() == before


def under_way(terminal: Terminal) -> list[str]:
    """What is drawn at this moment from the spinner on, of which there is at most one, as of bars."""
    lines = terminal.lines
    assert sum("━" in line for line in lines) <= 1, "\n".join(lines)
    drawn = [number for number, line in enumerate(lines) if line[:1] in set("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")]
    assert len(drawn) <= 1, "\n".join(lines)
    return [line for line in lines[drawn[0] :] if line] if drawn else []


@pytest.mark.process
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_week_on_a_terminal_of_80_columns_shows_no_stale_line(lang: str, tmp_path: Path) -> None:
    """Recorded while it runs: at every moment at most one bar, one spinner and one table; at the end none."""
    tables: list[int] = []
    window = {"en": "measuring for 20 s", "ja": "20秒間の測定"}[lang]

    def look(terminal: Terminal) -> None:
        if (drawn := under_way(terminal)) and window in drawn[0]:
            tables.append(len(drawn) - 1)

    words = ("run", "rollout_week3", "--on", "sim", "--window", "20s", "--lang", lang, "--reports", str(tmp_path))
    status, terminal = watched([sys.executable, "-m", "harness", *words], look, limit_s=250)
    lines = [line for line in terminal.lines if line]
    assert status == 10 and not [line for line in lines if "━" in line or "/20 s" in line]
    assert max(tables) == 7  # the bar, and the six criteria
    verdict = {"en": "decision: hold", "ja": "判断: 保留"}[lang]
    at = [number for number, line in enumerate(lines) if line.startswith(verdict)]
    assert len(at) == 1 and len(lines) - at[0] <= 8, (
        "the decision stands at the end, before the report and what is next"
    )
    assert len([line for line in lines if not line.startswith(("[", "    "))]) <= 40
    assert all(sum(2 if ord(c) > 0x2E80 else 1 for c in line) <= 80 for line in lines)


@pytest.mark.stack
@pytest.mark.nightly
@pytest.mark.timeout(400)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_load_stages_on_a_terminal_of_80_columns_show_no_stale_line(lang: str, tmp_path: Path) -> None:
    """Recorded while real processes carry them: each stage has its bar, and none is left of it."""
    bars: list[str] = []
    stages = [f"users_{users}" for users in (10, 50, 100, 500)]

    def look(terminal: Terminal) -> None:
        head, *below = under_way(terminal) or [""]
        bars.extend(name for name in stages if f"{name}," in head.replace("、", ",") and "━" in "".join(below))

    words = ("load_stages", "--quick", "--only", "users", "--on", "local", "--lang", lang, "--reports", str(tmp_path))
    status, terminal = watched([sys.executable, "-m", "harness", *words], look, limit_s=360)
    lines = [line for line in terminal.lines if line]
    assert status in (0, 10), "\n".join(lines)
    assert list(dict.fromkeys(bars)) == stages
    assert not under_way(terminal) and not [line for line in lines if "━" in line]
    assert sum(line.startswith("[") and "users_" in line for line in lines) >= len(stages), "each is told, and stays"
    assert "report.html" in "".join(lines[-3:])


@pytest.mark.process
def test_without_a_terminal_no_line_of_a_week_in_japanese_is_english(tmp_path: Path) -> None:
    """From the first line to the last: the preflight, a fault, a limit that fires, the roll back, the checks, the end."""
    words = ("rollout_week3", "--on", "sim", "--window", "60s", "--fault", "errors=30%", "--lang", "ja")
    command = [sys.executable, "-m", "harness", "run", *words, "--reports", str(tmp_path)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=250)
    lines = [line for line in ran.stderr.splitlines() if line]
    assert ran.returncode == Exit.ROLLED_BACK and len(lines) > 20, ran.stderr
    assert [line for line in lines if not _JAPANESE.search(line)] == []
    assert [line for line in lines if _SENTENCE.search(line.partition("python3 -m harness")[0])] == []
