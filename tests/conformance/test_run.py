"""``python -m harness conformance`` as a person runs it: the bundled API, Ctrl-C, bad usage."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from harness.base.data import ROOT
from harness.base.errors import Exit
from harness.cli.main import main
from harness.model.judgement import Decision
from harness.model.result import Result
from harness.rehearsals.conformance.checks import ALL
from harness.rehearsals.conformance.rehearsal import REHEARSAL
from harness.rehearsals.conformance.types import ConformancePlan
from harness.stack.state import MARKER, marked
from tests.conformance.expected import OF_OUR_OWN
from tests.conformance.targets import BUNDLED_GROUP, Conformed, command, conform, details, document, folder_of, outcomes
from tests.rehearsal.again import judged_again


def cases(junit: Path) -> dict[str, list[str]]:
    root = ET.parse(junit).getroot()
    return {
        case.attrib["name"]: [child.tag for child in case if child.tag != "system-out"]
        for case in root.iter("testcase")
    }


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.xdist_group(BUNDLED_GROUP)
def test_the_bundled_api_conforms(conformed: Conformed) -> None:
    done = conformed.done
    assert done.returncode == Exit.OK, done.stderr
    content = document(conformed.reports)
    assert document(conformed.reports) == msgspec.json.decode(done.stdout, type=Result)
    checked = {name: outcome for name, outcome in outcomes(content).items() if not name.startswith("fuzz.")}
    assert checked == {check.id: "advice" if check.id in OF_OUR_OWN else "passed" for check in ALL}
    assert content.decision is Decision.ADVANCE and content.exit_status == 0
    assert content.facts.leaks == () and content.facts.errors == ()
    seen = judged_again(REHEARSAL, ConformancePlan, folder_of(conformed.reports))
    assert {extra.name: extra.offered for extra in seen.extras} == {"X-Pod-Name": True, "GET /metrics": True}
    assert "--seed 7" in content.facts.replay
    shown = cases(conformed.junit)
    assert {check.id for check in ALL} | {"fuzz.server_errors", "fuzz.schema"} <= shown.keys() | OF_OUR_OWN
    assert not any(shown.values())
    first, replayed, *_ = done.stderr.splitlines()
    assert (
        first.endswith("· local · bundled walk API (Python) · seed 7") and replayed == f"replay: {content.facts.replay}"
    )
    assert list(marked(MARKER, [content.run_id])) == []


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.nightly
def test_a_target_without_a_dual_write_is_told_so(tmp_path: Path) -> None:
    """The bundled API with its mirror off; how long it takes is tested in virtual time (``test_grades.py``)."""
    file = tmp_path / "target.yaml"
    environment = '{HOST: 127.0.0.1, MIRROR_SHARE_PERCENT: "0"}'
    command_ = f'["{sys.executable}", "-m", "api"]'
    file.write_text(f"command: {command_}\nfolder: {ROOT}\nenvironment: {environment}\nmigrations: bundled\n")
    done = conform(tmp_path / "reports", "--target", str(file))
    assert done.returncode == Exit.HOLD, done.stderr
    content = document(tmp_path / "reports")
    found = outcomes(content)
    assert {name for name, outcome in found.items() if outcome == "deviation"} == {"dual_write.written"}
    untried = {name for name, outcome in found.items() if outcome == "not_exercised"}
    assert untried == {check.id for check in ALL if check.id.startswith("dual_write.")} - {"dual_write.written"}


@pytest.mark.stack
@pytest.mark.slow
def test_ctrl_c_takes_everything_down_and_keeps_what_was_found(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path), cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        lines, told = [], None
        for line in process.stderr:
            lines.append(line)
            told = re.search(r"contract: (\d+)/", line)
            if told:  # the first check is under way, most are not done
                break
        process.send_signal(signal.SIGINT)
        lines += process.stderr.readlines()
        assert process.wait(30) == Exit.INTERRUPTED, "".join(lines)
    content = document(tmp_path)
    assert told is not None and int(told[1]) <= len(details(content).checks) < len(ALL)
    assert content.decision is None and content.facts.leaks == ()
    assert "interrupted" in content.facts.errors[0]
    assert list(marked(MARKER, [content.run_id])) == []
    assert cases(folder_of(tmp_path) / "junit.xml")["run"] == ["error"]


@pytest.mark.stack
@pytest.mark.nightly  # per push a target that ends at once is refused with the end of its log (stack/test_local_failures.py)
def test_a_target_that_does_not_start_ends_in_30_with_its_last_words(tmp_path: Path) -> None:
    done = conform(tmp_path, "--target", f"{sys.executable} -c 'import sys; sys.exit(\"no such table\")'")
    assert done.returncode == Exit.STACK, done.stderr
    assert "no such table" in done.stderr
    content = document(tmp_path)
    assert details(content).checks == [] and content.decision is None and content.facts.leaks == ()
    assert list(marked(MARKER, [content.run_id])) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--only", "nonsense.*"], "dual_write"),
        (["--target", "/no/such/program"], "/no/such/program"),
        (["--target", ""], "empty"),
        (["--target", "./x 'open"], "quotes"),
        (["--junit", "/no/such/folder/x.xml"], "--junit"),
        (["--seed", "x"], "seed"),
        (["--openapi", "/no/such/file.yaml"], "/no/such/file.yaml"),
        (["--openapi", str(ROOT / "compose.yaml")], "compose.yaml"),
    ],
)
def test_bad_usage_ends_in_2(words: list[str], says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "--reports", str(tmp_path), *words]) == Exit.USAGE
    assert says in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_reports_folder_that_cannot_be_written_is_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.stack.state.processes.usable", lambda: False)  # asked by a process of its own
    blocker = tmp_path / "reports"
    blocker.write_text("")
    assert main(["conformance", "--reports", str(blocker)]) == Exit.USAGE
    assert str(blocker) in capfd.readouterr().err
