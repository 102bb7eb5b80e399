"""Remote Config condition expressions: the subset the rehearsal uses, read strictly.

Firebase's reference (docs "Remote Config conditional expression reference") has two dozen elements. This subset has
two, joined by `` && `` (one space on either side, as Firebase demands), each at most once, in either order::

    app.userProperty['audience'].exactlyMatches(['beta', 'developers'])
    percent('rollout') <= 30

Everything else is refused, never ignored: a condition that the emulator would silently read otherwise than Firebase
would make the rehearsal lie.
"""

from __future__ import annotations

import re

from harness.model.flag import Condition

AUDIENCE_PROPERTY = "audience"
SUBSET = "app.userProperty['audience'].exactlyMatches(['...', ...]), percent('...') <= N, or both joined by ' && '"

_TEXT = r"'[^'\\]+'"
_AUDIENCE = re.compile(rf"app\.userProperty\['{AUDIENCE_PROPERTY}'\]\.exactlyMatches\(\[({_TEXT}(?:, ?{_TEXT})*)\]\)")
_PERCENT = re.compile(rf"percent\(({_TEXT})\) <= (\d{{1,3}}(?:\.\d{{1,6}})?)")
_AND = " && "
_PLAIN = Condition(name="")


def parse(name: str, expression: str) -> Condition:
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
    return Condition(name=name, audiences=audiences, percent=share, seed=seed)


def expression(condition: Condition) -> str:
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


def _percent(condition: Condition) -> str:
    text = f"{condition.percent:.6f}"
    if not 0 <= condition.percent <= 100 or float(text) != condition.percent:
        raise ValueError(f"condition {condition.name!r}: {condition.percent!r} % is not 0..100 in steps of 0.000001")
    return text.rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    if re.fullmatch(_TEXT, f"'{text}'") is None:
        raise ValueError(f"{text!r} is empty or has a quotation mark or a backslash")
    return f"'{text}'"
