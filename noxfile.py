"""Everything that can be run, as nox sessions.

``nox -s rollout_week3 -- --seed 7`` where nox is at hand, ``python3 noxfile.py -s rollout_week3 -- --seed 7`` where
there is only Python: the same, after installing the locked packages once. Arguments behind ``--`` go through.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from harness.base import bootstrap  # noqa: E402 - the path comes first
from harness.base.errors import MEANING  # noqa: E402

if __name__ == "__main__":
    sys.exit(bootstrap.main(sys.argv[1:]))

import nox  # noqa: E402 - not at hand before the bootstrap
from nox.command import CommandFailed  # noqa: E402

nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests"]
nox.needs_version = ">=2024.3.2"

#: A run takes its stack down before it ends, a whole cluster with it; nox would kill it after 0.3 s.
TEAR_DOWN_S = 260.0


def run(session: nox.Session, *arguments: str, program: str = "python") -> None:
    """Runs a program of the locked environment in the checkout."""
    folder = bootstrap.ensure(session.log).parent
    command = [str(folder / program), *arguments]
    try:
        session.run(*command, external=True, interrupt_timeout=TEAR_DOWN_S, terminate_timeout=TEAR_DOWN_S, silent=False)
    except CommandFailed as failed:
        if arguments[:2] == ("-m", "harness") and (meaning := meant(failed)):
            session.error(meaning)
        raise


def meant(failed: CommandFailed) -> str:
    """What the exit status of ``python -m harness`` says: a session that held does not end in "failed" alone."""
    status = str(failed.reason).rpartition(" ")[2]
    known = {str(status.value): means for status, means in MEANING.items()}
    return f"{known[status]} (exit status {status} of python -m harness)" if status in known else ""


@nox.session
def rollout(session: nox.Session) -> None:
    """Rehearses weeks 1 to 4 in order, each entered only if the one before advanced."""
    run(session, "-m", "harness", "rollout", *session.posargs)


@nox.session
def rollout_week1(session: nox.Session) -> None:
    """Rehearses week 1 of the rollout: 500 users, 50 developers of them on the API."""
    run(session, "-m", "harness", "run", "rollout_week1", *session.posargs)


@nox.session
def rollout_week2(session: nox.Session) -> None:
    """Rehearses week 2 of the rollout: 500 users, 150 of them on the API."""
    run(session, "-m", "harness", "run", "rollout_week2", *session.posargs)


@nox.session
def rollout_week3(session: nox.Session) -> None:
    """Rehearses week 3 of the rollout: 500 users, 250 of them on the API."""
    run(session, "-m", "harness", "run", "rollout_week3", *session.posargs)


@nox.session
def rollout_week4(session: nox.Session) -> None:
    """Rehearses week 4 of the rollout: 500 users, all of them on the API."""
    run(session, "-m", "harness", "run", "rollout_week4", *session.posargs)


@nox.session
def load_stages(session: nox.Session) -> None:
    """The document's loads, 10 to 500 at once, and the knee for each number of pods."""
    run(session, "-m", "harness", "load_stages", *session.posargs)


@nox.session
def scaling(session: nox.Session) -> None:
    """Scaling by hand, by manifest and by the HPA, a drain, and the document's commands: -- --only manual."""
    run(session, "-m", "harness", "scaling", *session.posargs)


@nox.session
def zone_loss(session: nox.Session) -> None:
    """A zone lost under load, with the manifests as written, then with topology spread (environment kind)."""
    run(session, "-m", "harness", "zone_loss", *session.posargs)


@nox.session
def network(session: nox.Session) -> None:
    """NetworkPolicies on a real cluster: allowed paths work, all others are refused (environment kind)."""
    run(session, "-m", "harness", "network", *session.posargs)


@nox.session
def secret_rotation(session: nox.Session) -> None:
    """Secret Manager by CSI on kind: the volume as written, as corrected, a database password rotated under load."""
    run(session, "-m", "harness", "secret_rotation", *session.posargs)


@nox.session
def mirror_stop(session: nox.Session) -> None:
    """Stops the mirror to Firestore stepwise, 100 -> 50 -> 0 %, and shows what a later flag-off would lose."""
    run(session, "-m", "harness", "mirror_stop", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """The experiments of chaos/ on a stack under load, judged; those of minutes when they are named."""
    run(session, "-m", "harness", "chaos", *session.posargs)


@nox.session
def rolling_update(session: nox.Session) -> None:
    """Pods replaced under load: the document's manifests as they are, then with the component graceful."""
    run(session, "-m", "harness", "rolling_update", *session.posargs)


@nox.session
def deploy_rehearsal(session: nox.Session) -> None:
    """Versions rolled out under load: a good one, bad ones undone, the schema changed: -- --only good."""
    run(session, "-m", "harness", "deploy_rehearsal", *session.posargs)


@nox.session
def chaos_nightly(session: nox.Session) -> None:
    """Schedules of experiments drawn from seeds, each on a stack of its own, within a budget of time."""
    run(session, "-m", "harness", "chaos_nightly", *session.posargs)


@nox.session
def dr_restore(session: nox.Session) -> None:
    """Rehearses disaster recovery: disasters, restore, schedule, the document's procedure; --size 1GiB, --points 50."""
    run(session, "-m", "harness", "dr_restore", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """Checks the bundled API, or any other with --target, against the contract."""
    run(session, "-m", "harness", "conformance", *session.posargs)


@nox.session
def stack(session: nox.Session) -> None:
    """Brings a stack up, or keeps its slow parts running: -- up | keep | status | down."""
    run(session, "-m", "harness", "stack", *session.posargs)


@nox.session
def flag_proof(session: nox.Session) -> None:
    """How long every client takes to change sides, for several fetch intervals, and that no walk is lost."""
    run(session, "-m", "harness", "flag_proof", *session.posargs)


@nox.session
def doctor(session: nox.Session) -> None:
    """Says what this machine has and lacks in each environment."""
    run(session, "-m", "harness", "doctor", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """What the parts cost, side by side: the API against its twin, recorder, reports, a stall, the harness."""
    run(session, "-m", "bench", *session.posargs)


@nox.session
def oracle(session: nox.Session) -> None:
    """Compares the control-plane rules with Kubernetes' real controllers, on 10,000 samples; builds them once."""
    run(session, "-m", "tests.oracle.build")
    session.env.setdefault("ORACLE_SAMPLES", "10000")
    run(session, "-m", "pytest", "-s", "tests/oracle", *session.posargs)


@nox.session
def fast(session: nox.Session) -> None:
    """The tests in process, without a server: what to run while working; arguments go to pytest."""
    words = ("--groups", "fast,document", "-n", "2", "--dist", "worksteal", "--record", "reports/tests/fast.json")
    run(session, "-m", "pytest", *words, *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """What CI runs: lint, every test but the nightly ones, that none vanished. -- PATH: those; -- --part kind."""
    if session.posargs and "--part" not in session.posargs:
        run(session, "-m", "pytest", *session.posargs)
    else:
        run(session, "-m", "tests.session.push", *session.posargs)


@nox.session
def nightly(session: nox.Session) -> None:
    """The tests that are too slow for every change, and the properties on new examples; arguments go to pytest."""
    words = ("--nightly", "-m", "nightly or hypothesis", "--hypothesis-profile", "search")
    run(session, "-m", "pytest", *words, "--record", "reports/tests/nightly.json", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """What the tests in process run of the code, with a floor for what decides; arguments go to pytest."""
    run(session, "-m", "tests.session.coverage", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Mutants of judge, control and checks, for a budget of time, kept: -- --minutes 60 harness.judge."""
    run(session, "-m", "tests.mutants", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, lint, types, import directions, the shape of the house, workflows."""
    run(session, "-m", "ruff", "format", "--check", ".")
    run(session, "-m", "ruff", "check", ".")
    run(session, "-m", "mypy")
    run(session, program="lint-imports")
    run(session, "-m", "tests.shape")
    run(session, "-m", "tests.session.workflows")


@nox.session
def shape(session: nox.Session) -> None:
    """How often each idea of the house is there, and the lines of its scaffold, held to limits: -- --places, --json."""
    run(session, "-m", "tests.shape", *session.posargs)


@nox.session
def messages(session: nox.Session) -> None:
    """Extracts the reports' messages into the catalogues of harness/report/locale, for a translator."""
    run(session, "-m", "harness.cli.messages")


@nox.session
def lock(session: nox.Session) -> None:
    """Renews requirements.lock from pyproject.toml: with hashes, without the index's address."""
    compile_ = ("-m", "uv", "pip", "compile", "pyproject.toml", "--group", "dev", "--python-version", "3.11")
    output = ("--no-emit-index-url", "--no-header", "--no-annotate", "-o", "requirements.lock")
    run(session, *compile_, "--universal", "--generate-hashes", *output, *session.posargs)
