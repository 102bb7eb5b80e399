"""Everything that can be run, as nox sessions.

``nox -s rollout_week3 -- --seed 7`` where nox is at hand, ``python3 noxfile.py -s rollout_week3 -- --seed 7`` where
there is only Python: the same, after installing the locked packages once. Arguments behind ``--`` go through.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from harness.base import bootstrap  # noqa: E402 - the path comes first
from harness.base.errors import MEANING  # noqa: E402
from harness.base.typed import typed  # noqa: E402
from harness.cli.main import ALL  # noqa: E402
from tests.session.kept import aside  # noqa: E402
from tests.session.lint import LINT  # noqa: E402

if __name__ == "__main__":
    sys.exit(bootstrap.main(sys.argv[1:]))

import nox  # noqa: E402 - not at hand before the bootstrap
from nox.command import CommandFailed  # noqa: E402

nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests"]
nox.needs_version = ">=2024.3.2"

#: A run takes its stack down before it ends, a whole cluster with it; nox would kill it after 0.3 s.
TEAR_DOWN_S = 260.0


def as_ctrl_c(_number: int, _frame: FrameType | None) -> None:
    """Does what Ctrl-C at a terminal does: interrupts nox and, of its process group, what nox has started."""
    import psutil  # of the locked environment: a nox of one's own may lack it

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for each in psutil.Process().children(recursive=True):
        try:
            if os.getpgid(each.pid) == os.getpgrp():
                each.send_signal(signal.SIGINT)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    raise KeyboardInterrupt


#: What ends a session in order, also where nox was begun with Ctrl-C ignored.
ENDED_BY = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: as_ctrl_c}


def run(session: nox.Session, *arguments: str, program: str = "python") -> None:
    """Runs a program of the locked environment in the checkout; whatever is no command of the harness has all of it."""
    level = "run" if arguments[:2] == ("-m", "harness") else "dev"
    folder = bootstrap.ensure(level, session.log).parent
    command = [str(folder / program), *arguments]
    heard = {number: signal.signal(number, handler) for number, handler in ENDED_BY.items()}
    try:
        session.run(
            *command,
            external=True,
            silent=False,
            env=aside(arguments),
            interrupt_timeout=TEAR_DOWN_S,
            terminate_timeout=TEAR_DOWN_S,
        )
    except CommandFailed as failed:
        if arguments[:2] == ("-m", "harness") and (meaning := meant(failed, arguments)):
            session.error(meaning)
        raise
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)


def meant(failed: CommandFailed, arguments: tuple[str, ...]) -> str:
    """What the exit status of ``python -m harness`` says: a session that held does not end in "failed" alone. nox
    itself ends in 1, whichever it was.
    """
    status = str(failed.reason).rpartition(" ")[2]
    means = {str(each.value): told for each, told in MEANING.items()}.get(status)
    again = shlex.join([typed(), *arguments])
    return f"{means} (exit status {status}; to end in it: {again})" if means else ""


def passes_on(name: str, told: str, *words: str) -> None:
    """Makes the session ``name``, which runs ``python -m`` with these words and what was typed behind ``--``."""

    def passing(session: nox.Session) -> None:
        run(session, "-m", *words, *session.posargs)

    passing.__doc__ = told
    nox.session(name=name)(passing)


for week, users in enumerate(("50 developers", "150", "250", "all"), start=1):
    told = f"Rehearses week {week} of the rollout: 500 users, {users} of them on the API."
    passes_on(f"rollout_week{week}", told, "harness", "run", f"rollout_week{week}")
for entry in ALL.values():
    if entry.name != "run" and " " not in entry.name:
        passes_on(entry.name, entry.told, "harness", entry.name)
for name, words, told in (
    ("stack", "harness stack", "A stack brought up, or a cluster kept: -- up | keep | status | down."),
    ("cluster", "harness cluster", "A real cluster on this machine, kept for runs: -- up | down | list."),
    ("coverage", "tests.session.coverage", "What the tests in process run of the code; a floor for what decides."),
    ("mutants", "tests.mutants", "Mutants of judge, control and checks, kept: -- --minutes 60 harness.rules."),
    ("shape", "tests.shape", "How often each idea of the house is there, and the lines of its rooms: -- --places."),
    ("manual", "tests.manual", "Writes what of docs/ is made: the reference of files, sample reports, pictures."),
    ("lock", "tests.session.locks", "Renews locks/ from pyproject.toml; arguments go to uv: -- --upgrade."),
    ("messages", "harness.cli.messages", "Extracts the reports' messages into the catalogues, for a translator."),
):
    passes_on(name, told, *words.split())


@nox.session
def oracle(session: nox.Session) -> None:
    """Compares the control-plane rules with Kubernetes' real controllers, on 10,000 samples; builds them once."""
    run(session, "-m", "tests.oracle.build")
    session.env.setdefault("ORACLE_SAMPLES", "10000")
    run(session, "-m", "pytest", "-s", "tests/oracle", *session.posargs)


@nox.session
def fast(session: nox.Session) -> None:
    """The tests in process, without a server: what to run while working; arguments go to pytest."""
    words = ("--groups", "fast,document", "-n", "2", "--dist", "worksteal", "--record=reports/tests/fast.json")
    run(session, "-m", "pytest", *words, *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """What CI runs: lint, all tests but the nightly, that none vanished. -- PATH: those; -- --part kind --repeat 2."""
    if session.posargs and not {"--part", "--repeat"} & {*session.posargs}:
        run(session, "-m", "pytest", *session.posargs)
    else:
        run(session, "-m", "tests.session.push", *session.posargs)


@nox.session
def nightly(session: nox.Session) -> None:
    """The tests that are too slow for every change, and the properties on new examples. -- --part kind."""
    run(session, "-m", "tests.session.push", "--night", *session.posargs)


@nox.session
def site(session: nox.Session) -> None:
    """Builds the manual as a site in reports/site, both languages; a broken link is an error. -- serve to read it."""
    mkdocs = bootstrap.program("mkdocs", session.log)
    words = session.posargs or ["build", "--strict"]
    variables = {"PYTHONPATH": str(mkdocs.parents[1]), "NO_MKDOCS_2_WARNING": "1"}
    session.run(str(mkdocs), *words, "--config-file", "tools/site/mkdocs.yml", external=True, env=variables)


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, lint, types, import directions, dependencies, the shape of the house, workflows."""
    for program, *words in LINT:
        run(session, *words, program=program)
