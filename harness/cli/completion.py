"""``python -m harness completion SHELL``: what a shell completes behind ``python -m harness``, out of the declarations.

shtab reads argparse parsers, too; but it completes a program of one word, and ours is three, of commands of one or two.
The script holds every command and option as they are now: completing starts no Python.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.base.data import INSTALLED, SCENARIOS
from harness.base.errors import Exit
from harness.base.typed import PROGRAM
from harness.run.command import Command, flag, option

_SHELLS = ("bash", "zsh", "fish")
#: The names that are completed behind: what was typed, too, such as ``python3.12``.
_PYTHONS = (PROGRAM,) if INSTALLED else tuple(dict.fromkeys(("python", "python3", PROGRAM.partition(" ")[0])))
#: What is typed before a command, behind that name, and at which word the command is.
_BEFORE = "" if INSTALLED else "-m harness"
_AT = 1 if INSTALLED else 3


class Completed(NamedTuple):
    """An option or a word of a command: ``flag`` is "" of a word, ``values`` are what it may be, ``file`` any path."""

    flag: str
    told: str
    values: tuple[str, ...]
    file: bool
    switch: bool


@dataclass(frozen=True, kw_only=True)
class Completion(Command):
    """What a shell completes behind `python3 -m harness`.

    bash: source <(python3 -m harness completion bash); zsh: the same with zsh; fish: source (python3 -m harness
    completion fish | psub). In a file that the shell reads at its start it is there each time.
    """

    name = "completion"
    example = "bash"

    shell: str = option("the shell", positional=True, choices=_SHELLS, metavar="SHELL")

    def run(self) -> int:
        """Prints the script."""
        from harness.cli.main import ALL

        commands = {name: list(_of(entry.load())) for name, entry in ALL.items()}
        commands["list"] = [Completed("--json", "print the list as JSON", (), file=False, switch=True)]
        told = {"list": "Every command.", **{name: entry.told for name, entry in ALL.items()}}
        lines = _fish(commands, told) if self.shell == "fish" else _bash(commands, zsh=self.shell == "zsh")
        sys.stdout.write("\n".join(lines) + "\n")
        return Exit.OK


def _of(command: type[Command]) -> Iterator[Completed]:
    for field in dataclasses.fields(command):
        said: dict[str, Any] = field.metadata["argparse"]
        if said["help"] == argparse.SUPPRESS:
            continue
        file = field.metadata["read"] is Path or "FILE" in said.get("metavar", "")
        values = tuple(map(str, said.get("choices", ())))
        if said.get("metavar") == "SCENARIO":
            values, file = tuple(sorted(path.stem for path in SCENARIOS.glob("rollout_*.yaml"))), True
        elif said.get("metavar") == "RUN":
            values, file = ("latest",), True
        name = "" if field.metadata["positional"] else flag(field.name)
        yield Completed(name, said["help"].replace("%%", "%"), values, file, field.default is False)


_HEAD = f"# Completion of `{PROGRAM}`, made by `{PROGRAM} completion SHELL`."
_FUNCTION = r"""
_tekutoko_rehearsal() {
    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" command="" flags="" values=""
    COMPREPLY=()
    [[ "${COMP_WORDS[*]:1:BEHIND}" == "BEFORE" && COMP_CWORD -gt BEHIND ]] || return 0
    command="${COMP_WORDS[AT]}"
    case "$command" in VERBS) [[ COMP_CWORD -gt AT+1 ]] && command="$command ${COMP_WORDS[AT+1]}" ;; esac
    if [[ COMP_CWORD -eq AT ]]; then
        COMPREPLY=($(compgen -W "FIRST --help --version" -- "$current"))
        return 0
    fi
    case "$command" in
CASES
    esac
    case "$command $previous" in
VALUES
    esac
    [[ "$current" == -* ]] && values="$flags"
    [[ -n "$values" ]] && COMPREPLY=($(compgen -W "$values" -- "$current"))
    return 0
}
complete -o default -o bashdefault -F _tekutoko_rehearsal PYTHONS
"""


def _bash(commands: dict[str, list[Completed]], *, zsh: bool) -> list[str]:
    """bash's own; zsh reads the same by its bashcompinit. What has no word of ours is a path to the shell."""
    verbs = _verbs(commands)
    cases = [f'        "{verb}") values="{" ".join(words)}" ;;' for verb, words in verbs.items()]
    values: list[str] = []
    for name, options in commands.items():
        flags = " ".join([*(each.flag for each in options if each.flag), "--help"])
        words = " ".join(value for each in options if not each.flag for value in each.values)
        cases.append(f'        "{name}") flags="{flags}"; values="{words}" ;;')
        for each in options:
            if each.flag and not each.switch:
                values.append(f'        "{name} {each.flag}") values="{" ".join(each.values)}" ;;')
    made = _FUNCTION.strip("\n").replace("FIRST", " ".join(_first(commands))).replace("VERBS", "|".join(verbs))
    made = made.replace("CASES", "\n".join(cases)).replace("VALUES", "\n".join(values))
    made = made.replace("PYTHONS", " ".join(_PYTHONS)).replace("BEFORE", _BEFORE)
    made = made.replace("BEHIND", str(_AT - 1)).replace("AT+1", str(_AT + 1)).replace("[AT]", f"[{_AT}]")
    made = made.replace("-eq AT ]", f"-eq {_AT} ]")
    loaded = ["autoload -U +X compinit && compinit", "autoload -U +X bashcompinit && bashcompinit"] if zsh else []
    return [_HEAD.replace("SHELL", "zsh" if zsh else "bash"), *loaded, *made.splitlines()]


def _fish(commands: dict[str, list[Completed]], told: dict[str, str]) -> list[str]:
    lines = [
        _HEAD.replace("SHELL", "fish"),
        "function __tekutoko_at",
        "    set -l words (commandline -opc)",
        *([] if INSTALLED else ['    test "$words[2..3]" = "-m harness"; or return 1']),
        f"    test (count $argv) -eq 0; and test (count $words) -eq {_AT}; and return 0",
        f"    test (count $argv) -gt 0; and string match -q -- $argv' *' (string join -- ' ' $words[{_AT + 1}..-1])' '",
        "end",
    ]
    complete = f"complete -c {' -c '.join(_PYTHONS)}"
    for verb, words in _verbs(commands).items():
        lines.append(f"{complete} -n __tekutoko_at -f -a {verb}")
        lines += [
            f"{complete} -n '__tekutoko_at {verb}' -f -a {word} -d {_quoted(told[f'{verb} {word}'])}" for word in words
        ]
    for name, options in commands.items():
        if " " not in name:
            lines.append(f"{complete} -n __tekutoko_at -f -a {name} -d {_quoted(told[name])}")
        for each in options:
            values = f" -a {_quoted(' '.join(each.values))}" if each.values else ""
            path = " -F" if each.file else " -f"
            if each.flag:
                more = "" if each.switch else f" -r{path}{values}"
                lines.append(f"{complete} -n '__tekutoko_at {name}' -l {each.flag[2:]}{more} -d {_quoted(each.told)}")
            elif values or each.file:
                lines.append(f"{complete} -n '__tekutoko_at {name}'{path}{values}")
    return lines


def _verbs(commands: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in commands:
        verb, _, word = name.partition(" ")
        if word:
            found.setdefault(verb, []).append(word)
    return found


def _first(commands: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.partition(" ")[0] for name in commands))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
