"""What `stack`, `cluster` and `images` say: to the word as before in English, and in the language that is asked for."""

from __future__ import annotations

import msgspec
import pytest

from harness.base.errors import Exit
from harness.cli import cluster as clusters
from harness.cli import stack_command, standing
from harness.cli.main import main
from harness.model.message import Message, message, raw_text
from harness.model.stack import EnvironmentKind
from harness.report.language import Language, language
from harness.stack.environments import choice as rungs
from harness.stack.environments.standing import StackFacts
from harness.stack.kind import keeper
from harness.stack.state.keeping import LeftRunning, PartStatus
from tests.nowhere import all_at

ENGLISH = language("en")
KEPT = LeftRunning(
    kind="kept", rung=EnvironmentKind.KIND, run_id="kept", since_utc="", owner_pid=0, used_by="", trouble=message("it is broken"),
    parts=(
        PartStatus(part="worker", pid=12345, alive=True, memory_bytes=3 * 2**20),
        PartStatus(part="worker2", pid=12346, alive=False),
    ),
)  # fmt: skip
UP = msgspec.structs.replace(KEPT, kind="stack", run_id="up", since_utc="2026", owner_pid=9999, trouble=None, parts=())


class Upper(Language):
    """Another language: that of a catalogue which has everything in capitals."""

    def __init__(self) -> None:
        """It has no catalogue to read."""
        self.code = "en"

    def __call__(self, text: str, /, **values: str | int | Message) -> str:
        return ENGLISH(text, **values).upper()


def shown(each: LeftRunning, say: Language = ENGLISH) -> list[str]:
    return stack_command._shown(each, say).splitlines()


def test_what_is_left_running_is_said_as_before() -> None:
    assert shown(KEPT) == [
        "kept (environment kind) since an unknown time, free, 3 MiB",
        "  worker           process 12345 3 MiB",
        "  worker2          process 12346 DEAD",
        "  not usable: it is broken; `python3 -m harness stack down` takes it away",
    ]
    assert shown(UP) == ["up (environment kind) since 2026, process 9999, 0 MiB"]
    used = msgspec.structs.replace(UP, kind="kept", used_by="another")
    assert shown(used) == ["up (environment kind) since 2026, process 9999, in use by another, 0 MiB"]


def test_why_it_is_not_usable_is_said_in_the_language_and_plainly_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    why = message("{nodes} does not run", nodes="worker2")
    monkeypatch.setattr(keeper, "status", lambda: None)
    monkeypatch.setattr(standing, "standing_stacks", lambda: [msgspec.structs.replace(KEPT, trouble=why), UP])
    assert main(["stack", "status", "--lang", "ja"]) == Exit.HOLD
    said = capsys.readouterr().out
    assert language("ja").message(why) in said and "does not run" not in said
    assert main(["stack", "status", "--json", "--lang", "ja"]) == Exit.HOLD
    kept, up = msgspec.json.decode(capsys.readouterr().out)
    assert (kept["trouble"], up["trouble"], kept["parts"][0]["pid"]) == ("worker2 does not run", "", 12345)


def test_all_of_it_goes_through_the_catalogue() -> None:
    """But for numbers, their units and the names of parts."""
    said = "\n".join((*shown(KEPT, Upper()), *shown(UP, Upper())))
    left = {word for word in said.replace("`", " ").split() if word != word.upper()}
    assert left == {"worker", "worker2", "MiB"}


def test_a_stack_that_is_up_says_so_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    facts = StackFacts(
        run_id="a-stack", rung=EnvironmentKind.LOCAL, target="api", endpoints=all_at(), up_utc="2026", logs="logs/"
    )
    stack_command._tell(ENGLISH, facts)
    first, *_, logs, last = capsys.readouterr().out.splitlines()
    assert first == "stack a-stack is up (environment local, target api)"
    assert logs.split() == ["logs", "logs/"]
    assert last == "end it with Ctrl-C, or from anywhere: python3 -m harness stack down"


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_what_could_not_be_ended_is_left_in_every_language(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Message] = []
    monkeypatch.setattr(keeper, "down", lambda **_: [])
    monkeypatch.setattr(standing, "end_standing_stacks", lambda _: [*told])

    async def nothing(*_: object) -> None:
        """Of no killed run."""

    monkeypatch.setattr(rungs, "sweep", nothing)
    assert main(["stack", "down", "--lang", lang]) == Exit.OK
    told.append(message("stack {run}: taken down", run="a-stack"))
    assert main(["stack", "down", "--lang", lang]) == Exit.OK
    told.append(message("the cluster {name} could not be deleted: {why}", name="kept", why="busy"))
    assert main(["stack", "down", "--lang", lang]) == Exit.LEAK


def test_a_cluster_is_told_in_the_language_or_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    lines = raw_text("export KUBECONFIG=x"), message("none")
    for lang, none in (("en", "none"), ("ja", "なし")):
        assert clusters.told([], *lines, as_json=False, lang=lang) == Exit.OK
        assert capsys.readouterr().out == f"export KUBECONFIG=x\n{none}\n"
    clusters.told({"deleted": True}, *lines, as_json=True, lang="ja")
    assert capsys.readouterr().out == '{"deleted":true}\n'
