"""The pages' commands are read strictly, and a page is kept only when each was typed and ended well."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import msgspec
import pytest

from harness.base.errors import StackNotStarted
from harness.model.command import Ran
from harness.model.judgement import Judgement, Verdict
from harness.rehearsals.runbooks import rehearsal
from harness.rehearsals.runbooks.rehearsal import EXERCISES, REHEARSAL, _type, _zone, commands, scripts
from harness.rehearsals.runbooks.types import Balanced, RestoredWalks, RunbookPage, RunbooksDetails
from harness.run import result as conclude
from tests.rehearsal.made import by_id, seen
from tests.runbooks.made import DOCS, PLAN, details, typed_of

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
def test_both_languages_type_the_same(page: RunbookPage) -> None:
    english, japanese = ([each.words for each in typed_of(page, folder)] for folder in (DOCS, DOCS / "ja"))
    assert english == japanese != []


def test_every_line_of_the_learning_path_has_an_exercise() -> None:
    """The document names 7 things to learn in phase 2, 4 in phase 4 and 3 from phase 6 on."""
    headings = {(each.chapter, each.heading) for each in commands((DOCS / "learning.md").read_text("utf-8"))}
    counts = {chapter: sum(each == chapter for each, _ in headings) for chapter, _ in headings}
    assert counts == {"Phase 2": 7, "Phase 4": 4, "Phase 6": 3}


@pytest.mark.parametrize(("folder", "check"), [(DOCS, "Check: "), (DOCS / "ja", "確認: ")])
def test_every_exercise_says_its_check_and_types_a_command_that_fails_without_it(folder: Path, check: str) -> None:
    text = (folder / "learning.md").read_text("utf-8")
    told = dict(part.split("\n", 1) for part in text.split("\n### ")[1:])
    looks = {
        each.heading for each in commands(text) if each.words[:1] in [("wait",), ("top",)] or "status" in each.words
    }
    assert looks == set(told) and all(check in each.partition("```")[0] for each in told.values())


def test_what_the_exercises_apply_is_there() -> None:
    applied = {
        word.partition("/")[2]
        for each in commands((DOCS / "learning.md").read_text("utf-8"))
        for word in each.words
        if word.startswith("exercises/")
    }
    assert applied == {path.name for path in EXERCISES.iterdir()}


def said(of: RunbooksDetails) -> dict[str, Judgement]:
    return by_id(REHEARSAL.by_rules(PLAN, seen(of)))


def test_pages_that_were_typed_to_their_end() -> None:
    found = said(details())
    assert {name: each.verdict for name, each in found.items()} == {
        "operations.confirm": Verdict.PASS,
        "manifest.service": Verdict.PASS,
        "dr.restore.step1": Verdict.PASS,
        "checklist.availability.multi_zone": Verdict.PASS,
        "learning.phase2": Verdict.ERRATUM_SHOWN,
        "learning.phase4": Verdict.PASS,
        "learning.phase6": Verdict.PASS,
    }
    assert {(part, claim) for part, claim in REHEARSAL.claims(PLAN)} == {
        (each.part, claim) for each in found.values() for claim in each.claims
    }


@pytest.mark.parametrize(
    ("balanced", "why"),
    [
        (Balanced(address="", status=0), "the Service has no address"),
        (Balanced(address="172.18.0.3", status=503), "172.18.0.3: /health answers 503"),
    ],
)
def test_an_address_that_does_not_answer_is_none(balanced: Balanced, why: str) -> None:
    of = details()
    of.balanced = balanced
    found = said(of)["manifest.service"]
    assert found.verdict is Verdict.FAIL and why in found.reason


@pytest.mark.parametrize(
    ("restored", "verdict", "why"),
    [
        (RestoredWalks(walks=10, of=10), Verdict.PASS, "10 of 10 walks"),
        (RestoredWalks(walks=0, of=10), Verdict.FAIL, "0 of 10 walks"),
        (RestoredWalks(walks=None, of=10), Verdict.FAIL, "– of 10 walks"),
        (None, Verdict.INCONCLUSIVE, "not looked at"),  # a run of before it was asked, or cut before it
    ],
)
def test_a_restore_that_brought_too_little_is_none(restored: RestoredWalks | None, verdict: Verdict, why: str) -> None:
    """Every command of it ended well: a database without a walk has none behind the moment either."""
    of = details()
    of.restored = restored
    found = said(of)["dr.restore.step1"]
    assert found.verdict is verdict and why in found.reason


def test_a_block_is_run_whole_by_a_shell() -> None:
    (block,) = scripts("## One\n\n```sh\ncat <<END | grep x\nx\nEND\n```\n")
    assert (block.chapter, block.words) == ("One", ("cat <<END | grep x\nx\nEND",))
    # kubectl's wait takes no value with a = in it, such as base64 that is filled up.
    waits = [each for page in PLAN.parts for each in typed_of(page) if each.words[0] == "wait"]
    values = [word.partition("}=")[2] for each in waits for word in each.words if word.startswith("--for=jsonpath=")]
    assert len(values) > 5 and not [value for value in values if "=" in value]


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


def test_a_page_that_was_cut_says_nothing_of_the_target() -> None:
    """What ended it was no command of it; one that failed before fails it all the same."""
    of = details()
    of.typed["zone"] = of.typed["zone"][:2]
    of.typed["confirm"] = of.typed["confirm"][:1]
    of.typed["learning"] = []
    of.balanced = None
    found = said(of)
    for claim in ("checklist.availability.multi_zone", "operations.confirm", "learning.phase4"):
        assert found[claim].verdict is Verdict.INCONCLUSIVE
    assert "not typed to its end: 10 of its commands are left" in found["checklist.availability.multi_zone"].reason
    assert found["manifest.service"].verdict is Verdict.INCONCLUSIVE
    assert "not looked at" in found["manifest.service"].reason
    [first, *_] = of.typed["zone"]
    of.typed["zone"] = [msgspec.structs.replace(first, ran=Ran(command=first.ran.command, status=1, output="refused"))]
    assert said(of)["checklist.availability.multi_zone"].verdict is Verdict.FAIL


def test_without_a_zone_none_was_drained() -> None:
    of = details()
    of.zone = ""
    found = said(of)
    assert found["checklist.availability.multi_zone"].verdict is Verdict.INCONCLUSIVE
    assert {each.verdict for name, each in found.items() if name != "checklist.availability.multi_zone"} == {
        Verdict.PASS,
        Verdict.ERRATUM_SHOWN,
    }
    [first, *others] = of.typed["zone"]
    bad = msgspec.structs.replace(first, ran=Ran(command=first.ran.command, status=1, output="refused"))
    of.typed["zone"] = [bad, *others]
    assert said(of)["checklist.availability.multi_zone"].verdict is Verdict.FAIL


NODES, PODS = "w1=a w2=b w3= ", "w1 w2 w2 "


@pytest.mark.parametrize(
    ("nodes", "pods", "zone"),
    [
        (Ran(command="", status=0, output=NODES), Ran(command="", status=0, output=PODS), "b"),
        (Ran(command="", status=0, output=NODES), Ran(command="", status=0, output="w3 "), ""),
        (Ran(command="", status=0, output=NODES), Ran(command="", status=0, output=""), ""),
        (Ran(command="", status=0, output=NODES), Ran(command="", status=1, output="Error: w1 timed out"), ""),
        (Ran(command="", status=1, output=NODES), Ran(command="", status=0, output=PODS), ""),
        (Ran(command="", status=1, output="Error from server"), Ran(command="", status=0, output=PODS), ""),
    ],
)
async def test_the_zone_is_that_of_most_pods_or_not_known(nodes: Ran, pods: Ran, zone: str) -> None:
    class Stack:
        @staticmethod
        async def kubectl(*words: str) -> Ran:
            return nodes if "nodes" in words else pods

    assert await _zone(cast(Any, Stack)) == zone


async def test_where_no_zone_is_known_nothing_is_typed() -> None:
    """A drain of no zone's nodes would end in 0."""

    class Stack:
        asked: ClassVar[list[str]] = []

        async def kubectl(self, *words: str, **_: object) -> Ran:
            self.asked.append(words[0])
            return Ran(command=" ".join(words), status=1, output="Error from server")

        def outside(self) -> dict[str, str]:
            return {}

    on = SimpleNamespace(stack=Stack(), details=RunbooksDetails())
    await _type(PLAN, next(page for page in PLAN.parts if page.name == "zone"), cast(Any, on))
    assert set(on.stack.asked) == {"get"} and on.details.typed == {"zone": []}
    assert said(on.details)["checklist.availability.multi_zone"].verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("output", ["", "No resources found in tekutoko namespace."])
def test_a_listing_of_nothing_shows_no_erratum(output: str) -> None:
    of = details()
    [first, *others] = of.typed["confirm"]
    nothing = msgspec.structs.replace(first, ran=msgspec.structs.replace(first.ran, output=output))
    for typed in ([nothing, *others], [*others, others[-1]]):
        of.typed["confirm"] = typed
        found = said(of)["operations.confirm"]
        assert found.verdict is Verdict.INCONCLUSIVE and not found.erratum and "listed 0 deployments" in found.reason


@pytest.mark.parametrize(
    "output",
    [
        "",
        "No resources found in tekutoko namespace.\n",
        "NAME   READY   STATUS   RESTARTS   AGE\n",
        'Found 2 pods, using pod/tekutoko-api-1\nDefaulted container "api" out of: api, cloud-sql-proxy\n',
        'Waiting for deployment "tekutoko-api" rollout to finish: 0 of 2 updated replicas are available...\n',
    ],
)
def test_a_command_that_ends_in_0_and_shows_nothing_shows_no_claim(output: str) -> None:
    for page in PLAN.parts:
        for claim in page.claims.values():
            of = details()
            of.typed[page.name] = [
                msgspec.structs.replace(each, ran=msgspec.structs.replace(each.ran, output=output))
                for each in of.typed[page.name]
            ]
            found = by_id(conclude.judged(REHEARSAL, PLAN, seen(of)), page.name)[claim]
            assert (found.verdict, found.holds) == (Verdict.INCONCLUSIVE, True)


def test_without_a_page_nothing_is_said() -> None:
    assert said(RunbooksDetails()) == {}


class Kubectl:
    """A cluster whose commands with a word in ``broken`` fail."""

    def __init__(self, broken: str = "nothing") -> None:
        self._broken = broken
        self.typed: list[str] = []

    async def kubectl(self, *words: str, **_: object) -> Ran:
        self.typed.append(" ".join(words))
        fails = self._broken in self.typed[-1]
        return Ran(command="kubectl " + self.typed[-1], status=-fails, output="timed out" if fails else "172.18.0.3")


@pytest.mark.parametrize("broken", ["get nodes", "LoadBalancer", "--subresource=status"])
async def test_a_load_balancer_s_place_that_cannot_be_given_is_no_fault_of_the_service(broken: str) -> None:
    with pytest.raises(StackNotStarted, match=r"the load balancer's place: kubectl .*: status -1"):
        await rehearsal.give_address(cast(Any, Kubectl(broken)), 1.0)
    cluster = Kubectl()
    await rehearsal.give_address(cast(Any, cluster), 1.0)
    assert len(cluster.typed) == 3 and '"ip": "172.18.0.3"' in cluster.typed[2]
    assert await rehearsal.asked(cast(Any, Kubectl("get service")), 1.0) is None
