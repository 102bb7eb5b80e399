"""A command, declared once: a frozen dataclass whose fields are its options. How they are read and checked, what
``--help`` says and the line that runs the same again all come from the declaration.

Options that several commands take are declared in a class that these inherit: a group, whose docstring heads it in the
help. What is typed is read by the standard library's argparse. cyclopts would read such a class too: it was weighed,
and would spare some 60 lines at 0.09 s of each start, where a help has 0.3 s; and the replay, what a default is and who
else takes an option would stay ours.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn, TypeVar

from harness.base import units
from harness.base.errors import BadInput
from harness.base.message import message, said_by
from harness.base.options import looked_at, of_argparse, one_of, utf8
from harness.base.typed import PROGRAM

C = TypeVar("C", bound="Command")


def option(
    told: str,
    read: Callable[[str], Any] = str,
    *,
    default: Any = None,
    positional: bool = False,
    always: bool = False,
    replayed: bool = True,
    consent: bool = False,
    own: Callable[[Any], bool] | None = None,
    less: Callable[[Any], bool] | None = None,
    in_place: bool = False,
    short: str = "",
    **more: Any,
) -> Any:
    """The field of an option: a switch where ``default`` is false, repeatable where it is (). ``told`` is for the help,
    "" hides it. ``read`` makes its value of a word and raises ``ValueError``; ``str`` of the value is the word again.

    ``always``: a replay names it though it is the default. ``replayed`` is false for what changes how a run is told or
    confirmed, and not what is run. ``consent`` is typed each time, and no default gives it. ``own`` says of a value
    that is not the default whether a run by it says nothing of the document's claims: it asks for less, or by limits
    of somebody's own. ``less`` says of any value whether a run by it makes less than the document's plan, or faster;
    ``in_place`` that it names something of a team's own that the target's digest does not tell. ``short`` is its one
    letter. ``more`` is argparse's: ``metavar``, ``choices``, ``nargs``, ``required``.
    """
    shown = f" (default: {default})" if default not in (None, False, (), "") and "(default" not in told else ""
    more["help"] = f"{told}{shown}".replace("%", "%%") if told else argparse.SUPPRESS
    if default is False:
        more["action"] = "store_true"
    else:
        names_path = read is Path or more.get("metavar", "").endswith(("RUN", "ROLLOUT"))
        more["type"] = _checked(read, looked_at if names_path else utf8, more.get("choices", ()))
    if default == () and not positional:
        more["action"] = "append"
    more["default"] = argparse.SUPPRESS  # what is not typed is the file's, the environment's or the field's own
    said = {"positional": positional, "always": always, "replayed": replayed, "consent": consent, "argparse": more}
    said |= {"read": read, "own": own, "less": less, "in_place": in_place, "short": [short] if short else []}
    return dataclasses.field(default=default, metadata=said)


def _checked(read: Callable[[str], Any], fit: Callable[[str], str], choices: Sequence[Any]) -> Callable[[str], Any]:
    """``read`` of what is ``fit``, as argparse wants it: what its error says is shown."""

    def checked(text: str) -> Any:
        try:
            return read(fit(text))
        except ValueError as error:
            raise argparse.ArgumentTypeError(one_of(choices) if choices else said_by(error)) from error

    return checked


@dataclass(frozen=True, kw_only=True)
class Command(ABC):
    """Every command."""

    #: Of each its own; both are for the help, as its docstring is.
    name: ClassVar[str]
    example: ClassVar[str]

    no_defaults: bool = option("read neither rehearsal.toml nor TEKUTOKO_OPTION_*", default=False)

    @classmethod
    def takes_default(cls, name: str, typed: Sequence[str]) -> bool:
        """Whether an option that is not among the words may have its default from outside."""
        _ = name, typed
        return True

    def unread(self) -> tuple[str, ...]:
        """The options that nothing would read beside the others, whether they are given or not: typed they are
        refused, and a default from outside says nothing. Here none."""
        return ()

    @abstractmethod
    def run(self) -> int:
        """Carries it out; the exit status. Raises ``RehearsalError``."""


@dataclass(frozen=True)
class Duration:
    """A time as it was typed, such as "90min"."""

    text: str

    def __post_init__(self) -> None:
        units.seconds(self.text)

    def __str__(self) -> str:
        return self.text

    @property
    def seconds(self) -> float:
        """In seconds."""
        return units.seconds(self.text)


def whole(text: str) -> int:
    """A whole number. Raises ``ValueError``."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(message("{value} is no whole number", value=repr(text))) from None


def within(least: int, most: int, number: Callable[[str], Any] = whole) -> Callable[[str], Any]:
    """Reads a number of ``least`` to ``most``, a whole one unless told otherwise."""

    def read(text: str) -> Any:
        if not least <= (found := number(text)) <= most:
            raise ValueError(message("{value} is not within {range}", value=text, range=f"{least}..{most}"))
        return found

    return read


def flag(name: str) -> str:
    """A field's name as it is typed; one that is a method's name ends in "_" and says argparse's ``dest``."""
    return f"--{name.rstrip('_').replace('_', '-')}"


def flags(command: type[Command]) -> list[str]:
    """What a command takes, as it is typed."""
    shown = (f for f in dataclasses.fields(command) if f.metadata["argparse"]["help"] != argparse.SUPPRESS)
    return [flag(field.name) for field in shown if not field.metadata["positional"]]


def given(command: Command) -> list[str]:
    """The names of the options that are not as they are by default."""
    return [field.name for field in dataclasses.fields(command) if getattr(command, field.name) != field.default]


def given_unread(command: Command) -> list[str]:
    """The options that are given and that nothing would read beside the others."""
    unread = command.unread()
    return [name for name in given(command) if name in unread]


def words(command: Command, *, all_: bool = False) -> list[str]:
    """The words behind the command's name that give these options again; ``all_``: also what is not replayed."""
    typed, found = set(given(command)), list[str]()
    for name, said in ((field.name, field.metadata) for field in _in_order(type(command))):
        value = getattr(command, name)
        if not (said["replayed"] or all_) or not (name in typed or said["always"]):
            continue
        texts = [str(one) for one in (value if isinstance(value, tuple) else (value,))]
        if said["positional"]:
            found += texts
        elif isinstance(value, bool):
            found.append(flag(name))
        else:
            for text in texts:
                found += [f"{flag(name)}={text}"] if text.startswith("-") else [flag(name), text]
    return found


@cache
def _in_order(command: type[Command]) -> list[dataclasses.Field[Any]]:
    """Its options as a line has them: first what has no name there, then what is always there."""
    fields = dataclasses.fields(command)
    return sorted(fields, key=lambda each: (not each.metadata["positional"], not each.metadata["always"]))


def own(command: Command) -> tuple[str, ...]:
    """The options by which a run says nothing of the document's claims."""
    typed = {field.name: field.metadata["own"] for field in dataclasses.fields(command)}
    return tuple(flag(name) for name in given(command) if typed[name] and typed[name](getattr(command, name)))


def smaller(command: Command) -> tuple[str, ...]:
    """The options, with their values, by which a run makes less than the document's plan, or makes it faster."""
    return tuple(
        f"{flag(field.name)} {getattr(command, field.name)}"
        for field in dataclasses.fields(command)
        if (less := field.metadata["less"]) and (value := getattr(command, field.name)) is not None and less(value)
    )


def in_place(command: Command) -> tuple[str, ...]:
    """The options, with their values, that name something of a team's own."""
    named = {field.name: field.metadata["in_place"] for field in dataclasses.fields(command)}
    return tuple(f"{flag(name)} {getattr(command, name)}" for name in given(command) if named[name])


def is_given(value: object) -> bool:
    """Whether an option without a default has a value."""
    return value is not None


def other_than(usual: str) -> Callable[[Any], bool]:
    """Whether a value is another than the command's own."""
    return lambda typed: str(typed) != usual


def below(whole_: Any) -> Callable[[Any], bool]:
    """Whether a number, or a time such as "330s", is less than a whole run's."""
    if isinstance(whole_, str):
        return lambda typed: bool(typed.seconds < units.seconds(whole_))
    return lambda typed: bool(typed < whole_)


def replay(command: Command) -> str:
    """The command line that runs the same again."""
    return shlex.join([*PROGRAM.split(), *command.name.split(), *words(command)])


class Unrecognized(BadInput):
    """Words that ``command`` does not take; ``flag`` is the first."""

    def __init__(self, command: type[Command], rest: Sequence[str]) -> None:
        told = message("unrecognized arguments: {words}", words=shlex.join(rest))
        super().__init__(told, where=f"{PROGRAM} {command.name}")
        self.command, self.flag = command, rest[0].partition("=")[0]


def parse(command: type[C], typed: Sequence[str], defaults: Mapping[str, Any] = MappingProxyType({})) -> C:
    """The options that the words give, and ``defaults`` those that they do not. What came of defaults says so: its
    words give it again without them. Raises ``BadInput``, for an option that it does not take ``Unrecognized``.
    """
    given, rest = parser(command, frozenset(defaults)).parse_known_args(list(typed))
    if rest:
        raise Unrecognized(command, rest)
    values = {name: tuple(one) if isinstance(one, list) else one for name, one in vars(given).items()}
    made = command(**{**defaults, **({"no_defaults": True} if defaults else {}), **values})
    if not (outside := defaults.keys() - values.keys()):
        return made
    unread = outside & {*made.unread()}
    nothing: dict[str, Any] = {each.name: each.default for each in dataclasses.fields(command) if each.name in unread}
    return dataclasses.replace(made, **nothing)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(of_argparse(message), where=self.prog, remedy="--help shows what it takes")


@cache
def parser(command: type[Command], given: frozenset[str] = frozenset()) -> argparse.ArgumentParser:
    """What reads the command's words and prints its help: its own options first, then each group's. Nothing of
    ``given`` has to be typed."""
    program = f"{PROGRAM} {command.name}"
    example = f"example: {program} {command.example}"
    told = (inspect.getdoc(command) or "").replace("python3 -m harness", PROGRAM)
    made = _Parser(prog=program, description=told, epilog=example, allow_abbrev=False)
    made._negative_number_matcher = re.compile(r"-\.?\d")  # "-5s" is a value too, and its reader says what is wrong
    fields = {field.name: field for field in dataclasses.fields(command)}
    groups: dict[str, argparse._ActionsContainer] = {}
    for group in command.__mro__:
        title = (inspect.getdoc(group) or "").rstrip(".")
        for name in (name for name in inspect.get_annotations(group) if name in fields):
            said = fields.pop(name).metadata
            into = made if group is command else groups.get(title) or made.add_argument_group(title)
            groups[title] = into
            required = {"required": False} if name in given and "required" in said["argparse"] else {}
            names = [name] if said["positional"] else [*said["short"], flag(name)]
            into.add_argument(*names, **{**said["argparse"], **required})
            if said["argparse"].get("action") == "store_true":  # takes back what a default gives
                hidden: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
                into.add_argument(f"--no-{flag(name)[2:]}", action="store_false", **hidden)
    return made
