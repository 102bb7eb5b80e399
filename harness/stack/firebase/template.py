"""Firebase's own template JSON, and the way from and to ``harness.model.flag.Template``.

Shapes after the REST reference (``RemoteConfig``), read strictly. Not supported, and refused: ``useInAppDefault``,
personalisation and rollout values, parameters without a default value.

Remote Config condition expressions: the subset the rehearsal uses, read strictly.

Firebase's reference (docs "Remote Config conditional expression reference") has two dozen elements. This subset has
two, joined by `` && `` (one space on either side, as Firebase demands), each at most once, in either order::

    app.userProperty['audience'].exactlyMatches(['beta', 'developers'])
    percent('rollout') <= 30

Everything else is refused, never ignored: a condition that the emulator would silently read otherwise than Firebase
would make the rehearsal lie.
"""

from __future__ import annotations

import json
import math
import re
from typing import Literal

import msgspec

from harness.model.flag import FlagCondition, Parameter, Template

AUDIENCE_PROPERTY = "audience"
SUBSET = "app.userProperty['audience'].exactlyMatches(['...', ...]), percent('...') <= N, or both joined by ' && '"

_TEXT = r"'[^'\\]+'"
_AUDIENCE = re.compile(rf"app\.userProperty\['{AUDIENCE_PROPERTY}'\]\.exactlyMatches\(\[({_TEXT}(?:, ?{_TEXT})*)\]\)")
_PERCENT = re.compile(rf"percent\(({_TEXT})\) <= (\d{{1,3}}(?:\.\d{{1,6}})?)")
_AND = " && "
_PLAIN = FlagCondition(name="")


def parse(name: str, expression: str) -> FlagCondition:
    """The condition ``expression`` stands for. Raises ``ValueError`` when it is not in the subset."""
    audiences: tuple[str, ...] = ()
    percent: tuple[float, str] | None = None
    rest = expression
    while True:  # not a split: a name may hold " && " itself
        if (match := _AUDIENCE.match(rest)) and not audiences:
            audiences = tuple(text[1:-1] for text in re.findall(_TEXT, match[1]))
        elif (match := _PERCENT.match(rest)) and percent is None and float(match[2]) <= 100:
            percent = float(match[2]), match[1][1:-1]
        else:
            raise ValueError(f"condition {name!r}: {rest!r} is not supported here; this emulator knows {SUBSET}")
        rest = rest[match.end() :]
        if not rest:
            break
        if not rest.startswith(_AND):
            raise ValueError(f"condition {name!r}: {rest!r} is not supported here; this emulator knows {SUBSET}")
        rest = rest.removeprefix(_AND)
    share, seed = percent or (_PLAIN.percent, _PLAIN.seed)
    return FlagCondition(name=name, audiences=audiences, percent=share, seed=seed)


def expression(condition: FlagCondition) -> str:
    """Firebase's expression for ``condition``; ``parse`` gives it back.

    Raises ``ValueError`` when Firebase could not hold it: a percentage outside 0..100 or finer than a millionth, a
    quotation mark in a name.
    """
    elements = []
    if condition.audiences:
        names = ", ".join(_quoted(name) for name in condition.audiences)
        elements.append(f"app.userProperty['{AUDIENCE_PROPERTY}'].exactlyMatches([{names}])")
    if not elements or condition.percent != _PLAIN.percent or condition.seed != _PLAIN.seed:
        elements.append(f"percent({_quoted(condition.seed)}) <= {_percent(condition)}")
    return _AND.join(elements)


def _percent(condition: FlagCondition) -> str:
    text = f"{condition.percent:.6f}"
    if not 0 <= condition.percent <= 100 or float(text) != condition.percent:
        raise ValueError(f"condition {condition.name!r}: {condition.percent!r} % is not 0..100 in steps of 0.000001")
    return text.rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    if re.fullmatch(_TEXT, f"'{text}'") is None:
        raise ValueError(f"{text!r} is empty or has a quotation mark or a backslash")
    return f"'{text}'"


MAX_PARAMETERS = 2000  # Firebase's limit, with its message
MAX_CONDITIONS = 500
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


class _Json(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Camel case as Firebase has it, nothing unknown, nothing empty written."""


class JsonCondition(_Json, frozen=True):
    """A named condition; its place in the list is its precedence."""

    name: str
    expression: str
    tagColor: str = ""  # noqa: N815 - Firebase's own field names, here and below


class JsonValue(_Json, frozen=True):
    """A parameter's value; every value is text."""

    value: str


class JsonParameter(_Json, frozen=True):
    """A parameter; ``valueType`` limits the text of its values."""

    defaultValue: JsonValue  # noqa: N815
    conditionalValues: dict[str, JsonValue] = {}  # noqa: N815
    description: str = ""
    valueType: Literal["", "STRING", "BOOLEAN", "NUMBER", "JSON"] = ""  # noqa: N815


class JsonGroup(_Json, frozen=True):
    """A group of parameters, for people only."""

    description: str = ""
    parameters: dict[str, JsonParameter] = {}


class JsonUser(_Json, frozen=True):
    """Who published."""

    name: str = ""
    email: str = ""
    imageUrl: str = ""  # noqa: N815


class JsonVersion(_Json, frozen=True):
    """A version's description. A publisher may only set ``description``; Firebase ignores the rest on input."""

    versionNumber: str = ""  # noqa: N815
    updateTime: str = ""  # noqa: N815
    updateUser: JsonUser | None = None  # noqa: N815
    description: str = ""
    updateOrigin: str = ""  # noqa: N815
    updateType: str = ""  # noqa: N815
    rollbackSource: str = ""  # noqa: N815
    isLegacy: bool = False  # noqa: N815


class JsonTemplate(_Json, frozen=True):
    """A whole template."""

    conditions: list[JsonCondition] = []
    parameters: dict[str, JsonParameter] = {}
    parameterGroups: dict[str, JsonGroup] = {}  # noqa: N815
    version: JsonVersion | None = None


def decode(body: bytes) -> JsonTemplate:
    """Firebase's JSON. Raises ``ValueError`` (msgspec's are) when it is not a template as described above."""
    return msgspec.json.decode(body, type=JsonTemplate)


def to_json(template: Template) -> JsonTemplate:
    """``template`` as it is published. Raises ``ValueError`` where Firebase could not hold it."""
    parameters = {
        key: JsonParameter(
            defaultValue=JsonValue(value=parameter.default),
            conditionalValues={name: JsonValue(value=value) for name, value in parameter.conditional},
            valueType="BOOLEAN" if _all_booleans(parameter) else "STRING",
        )
        for key, parameter in template.parameters.items()
    }
    named = [JsonCondition(name=c.name, expression=expression(c)) for c in template.conditions]
    return JsonTemplate(conditions=named, parameters=parameters)


def to_template(document: JsonTemplate) -> Template:
    """The template as it is evaluated, groups flattened. Raises ``ValueError`` naming what Firebase would refuse."""
    parsed = tuple(parse(c.name, c.expression) for c in document.conditions)
    names = [condition.name for condition in parsed]
    if len(parsed) > MAX_CONDITIONS:
        raise ValueError("Condition count too large")
    if len(set(names)) < len(names) or not all(0 < len(name) <= 100 for name in names):
        raise ValueError("[VALIDATION_ERROR]: condition names must be unique and of 1 to 100 characters.")
    every = list(document.parameters.items())
    for group in document.parameterGroups.values():
        every += group.parameters.items()
    if len(every) > MAX_PARAMETERS:
        raise ValueError("Param count too large")
    if len({key for key, _ in every}) < len(every):
        raise ValueError("[VALIDATION_ERROR]: a parameter appears in more than one group.")
    return Template(
        conditions=parsed, parameters={key: _parameter(key, parameter, set(names)) for key, parameter in every}
    )


def _parameter(key: str, parameter: JsonParameter, names: set[str]) -> Parameter:
    if _KEY.fullmatch(key) is None:
        raise ValueError(f"[VALIDATION_ERROR]: {key!r} is not a valid parameter key.")
    unknown = [name for name in parameter.conditionalValues if name not in names]
    if unknown:
        raise ValueError(
            f"[VALIDATION_ERROR]: [{', '.join(unknown)}] are not valid condition names. All keys in all conditional"
            " value maps must be valid condition names."
        )
    for value in (parameter.defaultValue, *parameter.conditionalValues.values()):
        if not _fits(value.value, parameter.valueType):
            raise ValueError(f"[VALIDATION_ERROR]: {key}: {value.value!r} is not of type {parameter.valueType}.")
    return Parameter(
        default=parameter.defaultValue.value,
        conditional=tuple((name, value.value) for name, value in parameter.conditionalValues.items()),
    )


def _fits(value: str, kind: str) -> bool:
    try:
        if kind == "BOOLEAN":
            return value in {"true", "false"}
        if kind == "NUMBER":
            return math.isfinite(float(value))
        if kind == "JSON":
            json.loads(value)
    except ValueError:
        return False
    return True


def _all_booleans(parameter: Parameter) -> bool:
    return {parameter.default, *(value for _, value in parameter.conditional)} <= {"true", "false"}
