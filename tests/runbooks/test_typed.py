"""The pages' commands are read strictly, and a page is kept only when each was typed and ended well."""

from __future__ import annotations

import msgspec
import pytest

from harness.model.command import Ran
from harness.model.judgement import Judgement
from harness.model.verdict import Verdict
from harness.rehearsals.runbooks.judge import judged
from harness.rehearsals.runbooks.rehearsal import EXERCISES, REHEARSAL
from harness.rehearsals.runbooks.typed import commands
from harness.rehearsals.runbooks.types import RunbooksDetails
from tests.rehearsal.made import by_id
from tests.runbooks.made import DOCS, PLAN, details

PAGE = """# A page

## One

```sh
kubectl get pods -l app=x   # a comment
```

### Inner

```text
not a command
```

```sh
# a comment alone
kubectl wait x --for=jsonpath='{.a b}'=$ZONE
```
"""


def test_commands_come_with_their_headings_and_values() -> None:
    first, second = commands(PAGE, {"ZONE": "z"})
    assert (first.chapter, first.heading, first.words) == ("One", "One", ("get", "pods", "-l", "app=x"))
    assert (second.chapter, second.heading) == ("One", "Inner")
    assert second.words == ("wait", "x", "--for=jsonpath={.a b}=z")


@pytest.mark.parametrize("line", ["helm install", "kubectl get pods | grep x", "kubectl get pods ; ls"])
def test_what_needs_a_shell_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no single command"):
        list(commands(f"```sh\n{line}\n```\n"))
    with pytest.raises(KeyError):
        list(commands("```sh\nkubectl get $NOTHING\n```\n"))


@pytest.mark.parametrize("page", PLAN.parts, ids=lambda page: page.name)
def test_both_languages_type_the_same(page: object) -> None:
    name = getattr(page, "page", "")
    english, japanese = (
        [each.words for each in commands((folder / name).read_text("utf-8"), {"ZONE": "z"})]
        for folder in (DOCS, DOCS / "ja")
    )
    assert english == japanese != []


def test_every_line_of_the_learning_path_has_an_exercise() -> None:
    """The document names 7 things to learn in phase 2, 4 in phase 4 and 3 from phase 6 on."""
    headings = {(each.chapter, each.heading) for each in commands((DOCS / "learning.md").read_text("utf-8"))}
    counts = {chapter: sum(each == chapter for each, _ in headings) for chapter, _ in headings}
    assert counts == {"Phase 2": 7, "Phase 4": 4, "Phase 6": 3}


def test_what_the_exercises_apply_is_there() -> None:
    applied = {
        word.partition("/")[2]
        for each in commands((DOCS / "learning.md").read_text("utf-8"))
        for word in each.words
        if word.startswith("exercises/")
    }
    assert applied == {path.name for path in EXERCISES.iterdir()}


def said(of: RunbooksDetails) -> dict[str, Judgement]:
    return by_id(judged(PLAN, of))


def test_pages_that_were_typed_to_their_end() -> None:
    found = said(details())
    assert {name: each.verdict for name, each in found.items()} == {
        "operations.confirm": Verdict.ERRATUM_SHOWN,
        "checklist.availability.multi_zone": Verdict.PASS,
        "learning.phase2": Verdict.ERRATUM_SHOWN,
        "learning.phase4": Verdict.PASS,
        "learning.phase6": Verdict.PASS,
    }
    assert {(part, claim) for part, claim in REHEARSAL.claims(PLAN)} == {
        (each.part, each.claim) for each in found.values()
    }


def test_a_command_that_fails_fails_its_page() -> None:
    of = details()
    [*before, last] = of.typed["learning"]
    bad = msgspec.structs.replace(last, ran=Ran(command=last.ran.command, status=1, output="error: no such thing"))
    of.typed["learning"] = [*before, bad]
    found = said(of)
    assert (
        found["learning.phase6"].verdict is Verdict.FAIL
        and "status 1, error: no such thing" in found["learning.phase6"].reason
    )
    assert found["learning.phase4"].verdict is Verdict.PASS


def test_a_page_that_was_cut_fails() -> None:
    of = details()
    of.typed["zone"] = of.typed["zone"][:2]
    found = said(of)["checklist.availability.multi_zone"]
    assert found.verdict is Verdict.FAIL and "not typed to its end" in found.reason


def test_get_all_that_lists_all_is_no_erratum() -> None:
    of = details()
    listing = "configmap/a secret/b serviceaccount/c poddisruptionbudget.policy/d"
    of.typed["confirm"] = [
        msgspec.structs.replace(each, ran=msgspec.structs.replace(each.ran, output=listing))
        for each in of.typed["confirm"]
    ]
    assert said(of)["operations.confirm"].verdict is Verdict.PASS


def test_without_a_page_nothing_is_said() -> None:
    assert said(RunbooksDetails()) == {}
