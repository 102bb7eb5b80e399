"""The form of a scenario file: every quantity is text with its unit, every key is known."""

from __future__ import annotations

import difflib
import re

import msgspec

from harness.base import yamltext
from harness.base.errors import BadInput


class Form(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A mapping of a scenario file."""


class AudienceForm(Form):
    name: str
    users: int
    flag_on: int


class PopulationForm(Form):
    audiences: list[AudienceForm]
    pace: str = "50s"
    fetch_interval: str = "60s"


class ProbesForm(Form):
    rate: str = "10/s"
    canary_users: int = 8
    timeout: str = "2s"


class CriterionForm(Form):
    id: str
    claim: str
    kind: str
    metric: str
    comparison: str
    threshold: str
    smallest_sample: int = 0
    needs: list[str] = []


class ScenarioForm(Form):
    title: str
    claims: list[str]
    population: PopulationForm
    criteria: list[CriterionForm]
    window: str
    probes: ProbesForm = msgspec.field(default_factory=ProbesForm)
    request_timeout: str = "10s"
    switch_over_limit: str = "5min"
    good_answer_every: str = "120s"
    blackout: str = "5s"
    offered_rate: str = "3.3/s"


#: The right form of each key, for the errors.
EXAMPLES = {
    "title": 'title: "Week 3: half of the users on the API"',
    "claims": "claims: [rollout.week3.success.availability]",
    "population": "population: {pace: 50s, audiences: [{name: general, users: 350, flag_on: 100}]}",
    "audiences": "audiences: [{name: general, users: 350, flag_on: 100}]",
    "name": "name: general",
    "users": "users: 350",
    "flag_on": "flag_on: 100",
    "pace": "pace: 50s",
    "fetch_interval": "fetch_interval: 60s",
    "probes": "probes: {rate: 10/s, canary_users: 8, timeout: 2s}",
    "rate": "rate: 10/s",
    "canary_users": "canary_users: 8",
    "timeout": "timeout: 2s",
    "criteria": (
        "criteria: [{id: success.availability, claim: rollout.week3.success.availability, kind: success, "
        'metric: availability, comparison: ">", threshold: 99.5%}]'
    ),
    "id": "id: success.availability",
    "claim": "claim: rollout.week3.success.availability",
    "kind": "kind: success",
    "metric": "metric: availability",
    "comparison": 'comparison: ">"',
    "threshold": "threshold: 99.5%",
    "smallest_sample": "smallest_sample: 598",
    "needs": "needs: [real_postgresql]",
    "window": "window: 120s",
    "request_timeout": "request_timeout: 10s",
    "switch_over_limit": "switch_over_limit: 5min",
    "good_answer_every": "good_answer_every: 120s",
    "blackout": "blackout: 5s",
    "offered_rate": "offered_rate: 3.3/s",
}

_SHAPES: dict[tuple[str, ...], type[Form]] = {
    (): ScenarioForm,
    ("population",): PopulationForm,
    ("population", "audiences"): AudienceForm,
    ("probes",): ProbesForm,
    ("criteria",): CriterionForm,
}


def nearest(word: str, known: list[str]) -> str:
    """``"; did you mean X?"``, or "" when nothing is near."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


class Source:
    """A scenario file under reading: raises errors that name file, line, key path and an example."""

    def __init__(self, where: str, lines: yamltext.Lines) -> None:
        self.where = where
        self.lines = lines

    def bad(self, path: yamltext.Path_, what: str, hint: str = "") -> BadInput:
        """The error for the value at ``path``; ``hint`` in place of the key's example."""
        keys = [part for part in path if isinstance(part, str)]
        remedy = hint or (f"for example `{EXAMPLES[keys[-1]]}`" if keys and keys[-1] in EXAMPLES else "")
        return BadInput(what, where=yamltext.place(self.where, self.lines, path), remedy=remedy)


def parse(text: str, where: str) -> tuple[ScenarioForm, Source]:
    """The scenario file ``text`` in its form; ``BadInput`` for anything else."""
    found = yamltext.documents(text, where)
    if not found:
        raise BadInput(f"{where} is empty", where=where, remedy=f"begin with `{EXAMPLES['title']}`")
    if len(found) > 1:
        raise BadInput("more than one YAML document", where=where, remedy="one scenario a file; remove the `---`")
    data, lines = found[0]
    source = Source(where, lines)
    if not isinstance(data, dict):
        raise source.bad((), "a scenario is a mapping of keys", f"begin with `{EXAMPLES['title']}`")
    try:
        return msgspec.convert(data, ScenarioForm), source
    except msgspec.ValidationError as error:
        raise _refused(str(error), source) from error


def _refused(message: str, source: Source) -> BadInput:
    """msgspec's message as an error at its line: it ends in `` - at `$.population.audiences[0].users` ``."""
    what, _, trail = message.partition(" - at `$")
    path: yamltext.Path_ = tuple(
        int(part[1:-1]) if part.startswith("[") else part.lstrip(".")
        for part in re.findall(r"\.\w+|\[[0-9]+\]", trail.rstrip("`"))
    )
    shape = _SHAPES.get(tuple(part for part in path if isinstance(part, str)))
    field = re.search(r"field `([^`]*)`", what)
    if field is not None and shape is not None:
        known = list(shape.__struct_fields__)
        if "unknown" in what:
            hint = f"the keys here are: {', '.join(known)}"
            return source.bad((*path, field[1]), f"unknown key {field[1]!r}{nearest(field[1], known)}", hint)
        return source.bad(path, f"key {field[1]!r} is missing", f"for example `{EXAMPLES[field[1]]}`")
    return source.bad(path, what)
