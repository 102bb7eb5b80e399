"""Plan files: what is refused, where, and with which remedy; quantities by unit; the schema of the same type."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import jsonschema
import msgspec
import pytest
import yaml

from harness.base import yamltext
from harness.base.errors import BadInput
from harness.base.planfile import at, likeness, modeline, once, parse, schema
from harness.base.units import Bytes, Milliseconds, OneOf, PerSecond, Ratio, ReadBy, Seconds

Colour = Annotated[str, OneOf(what="colour of paint", known=lambda: ("red", "green"), where="the shelf")]


class Way(StrEnum):
    UP = "up"
    DOWN = "down"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule."""

    metric: str
    above: Ratio

    @classmethod
    def of_text(cls, text: str) -> Rule:
        """``"availability > 99.5%"``."""
        metric, sign, limit = text.partition(" > ")
        if not sign:
            raise ValueError(f"{text!r} is no rule; write for example 'availability > 99.5%'")
        return cls(metric=metric, above=float(limit.rstrip("%")) / 100)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part."""

    name: str
    way: Way = Way.UP
    wait_s: Seconds = 5.0
    limit_ms: Milliseconds | None = None
    colours: tuple[Colour, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan."""

    name: str
    window_s: Seconds
    share: Ratio = 0.5
    rate_per_s: PerSecond = 1.0
    size_bytes: Bytes = 1024
    pods: int = 2
    rules: tuple[Rule, ...] = ()
    parts: tuple[Part, ...] = ()
    labels: dict[str, str] = {}

    def __post_init__(self) -> None:
        if self.pods > 10:
            raise ValueError(f"{self.pods} pods are more than 10")


WHOLE = """
# yaml-language-server: $schema=plan.schema.json
window: 2min
share: 99.5%
rate: 3/s
size: 64MiB
rules:
- availability > 99%
- {metric: errors, above: 1%}
parts:
- name: first
  way: down
  wait: 500ms
  limit: 0.5s
labels: {a: b}
"""


def test_quantities_are_numbers_in_the_unit_of_their_name() -> None:
    plan = parse(WHOLE, "p.yaml", Plan, name="p")
    assert (plan.name, plan.window_s, plan.share, plan.rate_per_s) == ("p", 120.0, 0.995, 3.0)
    assert (plan.size_bytes, plan.labels, plan.pods) == (64 * 1024**2, {"a": "b"}, 2)
    assert plan.rules == (Rule(metric="availability", above=0.99), Rule(metric="errors", above=0.01))
    assert plan.parts == (Part(name="first", way=Way.DOWN, wait_s=0.5, limit_ms=500.0),)


def test_digits_in_quotes_and_a_number_below_one_are_what_they_say() -> None:
    plan = parse('window: 0.5s\npods: 0\nlabels: {at: "18:00", code: "007"}', "p.yaml", Plan, name="p")
    assert (plan.window_s, plan.pods, plan.labels) == (0.5, 0, {"at": "18:00", "code": "007"})


@pytest.mark.parametrize(
    ("text", "what", "where", "remedy"),
    [
        ("window: 120", "120 is not a duration", "p.yaml:1, window", "`window: 120s`"),
        ("window: 3/s", "no unit of time", "p.yaml:1, window", "`window: 120s`"),
        ("window: 1s\nshare: 120%", "above 100%", "p.yaml:2, share", "`share: 99.5%`"),
        ("share: 1%", "key 'window' is missing", "p.yaml:1", "`window: 120s`"),
        (
            "windo: 1s",
            "unknown key 'windo'; did you mean 'window'?",
            "p.yaml:1, windo",
            "the keys here are: name, window",
        ),
        ("window_s: 1s", "unknown key 'window_s'; did you mean 'window'?", "p.yaml:1, window_s", "the keys here"),
        ("window: 1s\nparts:\n- way: up", "key 'name' is missing", "p.yaml:3, parts[0]", '`name: "..."`'),
        (
            "window: 1s\nparts:\n- name: a\n  way: left",
            "'left' is none of up, down",
            "p.yaml:4, parts[0].way",
            "`way: up`",
        ),
        ("window: 1s\nparts:\n- name: a\n  wait: soon", "soon", "p.yaml:4, parts[0].wait", "`wait: 120s`"),
        ("window: " + "9" * 400 + "s", "is out of range", "p.yaml:1, window", "`window: 120s`"),
        (
            "window: 1s\nparts:\n- {name: a, colours: [red, gren]}",
            "unknown colour of paint 'gren'; did you mean 'green'?",
            "p.yaml:3, parts[0].colours[1]",
            "see the shelf",
        ),
        ("window: 1s\nparts:\n- {name: a, colours: [1]}", "Expected `str`", "p.yaml:3, parts[0].colours[0]", ""),
        ("window: 1s\npods: 11", "11 pods are more than 10", "p.yaml:1", ""),
        ("window: 1s\npods: true", "Expected `int`, got `bool`", "p.yaml:2, pods", ""),
        ("window: 1s\nrules: [never]", "'never' is no rule", "p.yaml:2, rules[0]", ""),
        ("window: 1s\nrules: [7]", "a mapping of keys is wanted here", "p.yaml:2, rules[0]", "metric, above"),
        ("window: 1s\nsize: 3", "3 is not a size", "p.yaml:2, size", "`size: 1GiB`"),
        ("window: 1s\nwindow: 2s", "key 'window' is given twice", "p.yaml:2, window", "keep one"),
        ("window: 1s\npods: 010", "010 would be read as 8", "p.yaml:2, pods", "plain digits"),
        ("window: 1s\npods: 1:08", "1:08 would be read as 68", "p.yaml:2, pods", "plain digits"),
        ("window: 1s\nlabels: {at: 18:00}", "18:00 would be read as 1080", "p.yaml:2, labels.at", "in quotes"),
        ("- 1", "a file is one mapping of keys", "p.yaml:1", "window"),
        ("", "p.yaml is empty", "p.yaml", "the keys are: name, window"),
        ("---\n", "p.yaml is empty", "p.yaml", "the keys are: name, window"),
        ("window: 1s\n---\nwindow: 1s", "more than one YAML document", "p.yaml", "a file of its own"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_an_example(text: str, what: str, where: str, remedy: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text, "p.yaml", Plan, name="p")
    assert what in caught.value.what
    assert caught.value.where == where
    assert remedy in caught.value.remedy


def test_what_a_bare_end_opens_is_no_other_document() -> None:
    assert parse("---\nwindow: 1s\n---\n", "p.yaml", Plan, name="p").window_s == 1


def test_a_file_without_an_end_is_too_long() -> None:
    with pytest.raises(BadInput, match="larger than"):
        yamltext.read(Path("/dev/zero"))


def test_the_schema_takes_what_the_loader_takes_and_refuses_the_rest() -> None:
    found = schema(Plan, "A plan")
    jsonschema.Draft202012Validator.check_schema(found)
    check = jsonschema.Draft202012Validator(found)
    assert check.is_valid(yaml.safe_load(WHOLE))
    for wrong in ({}, {"window": 120}, {"window": "3/s"}, {"window": "1s", "windo": 1}, {"window": "1s", "pods": "2"}):
        assert not check.is_valid(wrong), wrong
    assert found["$defs"]["Plan"]["required"] == ["window"]
    assert found["$defs"]["Part"]["description"] == "A part."


def test_the_plan_goes_through_json_unchanged() -> None:
    plan = parse(WHOLE, "p.yaml", Plan, name="p")
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_the_modeline_names_the_schema_only_from_the_head_of_the_file() -> None:
    assert modeline("# yaml-language-server: $schema=schemas/x.json\na: 1") == "schemas/x.json"
    assert modeline("a: 1\n# yaml-language-server: $schema=schemas/x.json") == ""


def test_words_of_a_register_stand_in_the_schema_once() -> None:
    found = schema(Plan, "A plan")
    assert found["$defs"]["colour_of_paint"] == {"description": "see the shelf", "enum": ["red", "green"]}
    assert found["$defs"]["Part"]["properties"]["colours"]["items"]["$ref"] == "#/$defs/colour_of_paint"


def test_what_is_part_of_another_document_is_told_by_its_place_there() -> None:
    lines = {(): 1, ("things",): 3, ("things", 1): 7, ("things", 1, "wait"): 8}
    data = {"name": "a", "wait": "2s"}
    assert at(("things", 1), data, "d.yaml", lines, Part) == Part(name="a", wait_s=2.0)
    with pytest.raises(BadInput) as caught:
        at(("things", 1), {"name": "a", "wait": "2"}, "d.yaml", lines, Part)
    assert caught.value.where == "d.yaml:8, things[1].wait"


def test_the_likest_type_is_the_one_whose_keys_and_words_they_are() -> None:
    assert likeness({"window": "1s", "parts": [{"name": "a", "way": "up"}]}, Plan) == 5  # window, parts, name, way, up
    assert likeness({"window": "1s", "parts": [{"name": "a", "way": "left"}]}, Plan) == 3
    assert likeness({"windo": "1s"}, Plan) == -2  # one unknown, and window missing
    assert likeness([1], Plan) == likeness("x", Plan) == likeness(None, Plan) == 0


def test_names_are_there_once() -> None:
    once([1, 2, "a"])
    with pytest.raises(ValueError, match="'2' is there twice"):
        once([1, 2, 2])


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What is done; ``far`` only on the way up."""

    kind: Way
    wait_s: Seconds = 1.0
    far_s: Annotated[Seconds, msgspec.Meta(le=60, description="at most 60s"), ReadBy((Way.UP,))] = 1.0


def test_a_key_that_its_kind_never_reads_is_refused_and_told_to_editors() -> None:
    assert parse("kind: up\nwait: 2s\nfar: 1s", "p.yaml", Act).far_s == 1
    with pytest.raises(BadInput, match="kind 'down' does not read 'far'") as caught:
        parse("kind: down\nwait: 2s\nfar: 1s", "p.yaml", Act)  # the default's own value, and still nobody reads it
    assert (caught.value.where, caught.value.remedy) == ("p.yaml:3, far", "it reads: kind, wait")
    with pytest.raises(BadInput, match="'left' is none of up, down"):
        parse("kind: left\nfar: 1s", "p.yaml", Act)
    stored = msgspec.json.decode(b'{"kind": "down", "far_s": 1.0}', type=Act)
    assert stored.kind is Way.DOWN, "a stored plan has every field, and is read again"
    properties = schema(Act, "acts")["$defs"]["Act"]["properties"]
    assert properties["far"]["description"] == "read by kind up"
    assert "description" not in properties["wait"]
