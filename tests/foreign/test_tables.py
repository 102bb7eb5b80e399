"""What the foreign targets can be told to do is what these tests know of, and their locks fit every registry."""

from __future__ import annotations

import re

from harness.rehearsals.conformance.checks import ALL
from tests.foreign.deviations import EXTRAS, FIRST_DAY, PLANTED, batches
from tests.foreign.harmless import SETS
from tests.foreign.targets import GO_SOURCES, NODE_SOURCES, Language, lock_addresses


def names(text: str, list_: str, end: str) -> set[str]:
    found = re.search(rf"{list_} = .*?{re.escape(end)}", text, re.DOTALL)
    assert found is not None, list_
    return set(re.findall(r'"(\w+)"', found[0]))


def test_every_fault_that_a_target_has_is_expected_by_name() -> None:
    go, node = (GO_SOURCES / "faults.go").read_text(), (NODE_SOURCES / "flags.js").read_text()
    planted = {language: {each.name for each in PLANTED if each.language is language} for language in Language}
    assert planted[Language.GO] | EXTRAS.keys() | {FIRST_DAY} == names(go, "known", "\n}")
    assert planted[Language.NODE] == names(node, "FAULTS", "];")
    assert len({each.name for each in PLANTED}) == len(PLANTED) >= 30


def test_every_harmless_difference_is_tried() -> None:
    known = names((NODE_SOURCES / "flags.js").read_text(), "HARMLESS", "];")
    assert set[str]().union(*SETS) == known
    assert len(known) >= 20


def test_what_must_be_found_is_a_check() -> None:
    known = {check.id for check in ALL}
    assert set[str]().union(*(each.touches for each in PLANTED)) <= known
    assert sorted(each.name for batch in batches() for each in batch) == sorted(each.name for each in PLANTED)


def test_the_locks_name_no_registry() -> None:
    assert lock_addresses() == []
    assert "://" not in (GO_SOURCES / "go.sum").read_text()
