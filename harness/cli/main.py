"""The command line. Exit statuses are ``harness.base.errors.Exit``."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from harness.base import terminal, units
from harness.base.data import REPORTS
from harness.base.errors import Exit, RehearsalError, more_severe
from harness.cli.check import add_arguments as add_check_arguments
from harness.cli.reconcile import add_arguments as add_reconcile_arguments
from harness.cli.stored.command import add_commands as add_stored_commands
from harness.cli.stored.command import add_lang
from harness.model.stack import AUTO, RUNGS
from harness.rehearsal.own_cluster import add_arguments as add_cluster_arguments
from harness.rehearsals.chaos.command import add_chaos_arguments, add_nightly_arguments
from harness.rehearsals.chaos.rolling import add_arguments as add_rolling_arguments
from harness.rehearsals.chaos.undo import add_arguments as add_undo_arguments
from harness.rehearsals.conformance.command import add_arguments as add_conformance_arguments
from harness.rehearsals.deploy.command import add_arguments as add_deploy_arguments
from harness.rehearsals.dr_restore.command import add_arguments as add_recovery_arguments
from harness.rehearsals.flag_proof.command import add_arguments as add_flag_proof_arguments
from harness.rehearsals.load_stages.command import add_arguments as add_stages_arguments
from harness.rehearsals.mirror_stop.command import add_arguments as add_mirror_stop_arguments
from harness.rehearsals.network.command import add_arguments as add_network_arguments
from harness.rehearsals.rollout.command import add_arguments as add_rollout_arguments
from harness.rehearsals.scaling.command import add_arguments as add_scaling_arguments
from harness.rehearsals.secret_rotation.command import add_arguments as add_secret_rotation_arguments
from harness.stack.targets import TARGET_HELP

DEFAULT_SEED = 1


def _unit(parse: Callable[[str], float]) -> Callable[[str], str]:
    """An argparse type that checks the unit and keeps the text, for the replay command."""

    def check(text: str) -> str:
        try:
            parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return text

    return check


def _add_run_options(command: argparse.ArgumentParser, *, printed: str, plants: bool = False) -> None:
    """What a run and a rollout take alike; ``--fault`` only what ``plants`` it: elsewhere it would be ignored."""
    command.add_argument(
        "--on", choices=RUNGS, default=AUTO, help="the environment to run in (default: kind where it is at hand)"
    )
    add_cluster_arguments(command)
    command.add_argument("--target", metavar="COMMAND|FILE", help=TARGET_HELP)
    command.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of the schedule (default: %(default)s)")
    command.add_argument("--window", type=_unit(units.seconds), help="length of the measuring window, e.g. 120s")
    command.add_argument("--pace", type=_unit(units.seconds), help="one request of a user in this time, e.g. 50s")
    command.add_argument("--fetch-interval", type=_unit(units.seconds), help="Remote Config's minimum fetch interval")
    command.set_defaults(fault=[])
    if plants:
        command.add_argument("--fault", action="append", metavar="KIND=AMOUNT", help="e.g. errors=12%% (repeatable)")
    command.add_argument("--service-port", type=int, help="the service's port on 127.0.0.1 (default: any free one)")
    command.add_argument(
        "--signals-at-once",
        action="store_true",
        help="local: signal a pod that leaves while the Service still leads to it, as every cluster does",
    )
    command.add_argument("--reports", type=Path, default=REPORTS, help="where reports go (default: reports/)")
    command.add_argument("--manifests", type=Path, metavar="DIR", help="a kustomize folder of your own")
    add_lang(command)
    command.add_argument("--json", action="store_true", help=f"print {printed} on standard output")


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m harness", description=__doc__, allow_abbrev=False)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="rehearse a scenario and judge it", allow_abbrev=False)
    run.add_argument("scenario", help="a bundled scenario's name (rollout_week3) or a YAML file of your own")
    _add_run_options(run, printed="result.json", plants=True)
    run.set_defaults(handler=_by("harness.rehearsals.rollout.command"))
    rollout = commands.add_parser(
        "rollout", help="rehearse weeks 1 to 4, each if the last advanced", allow_abbrev=False
    )
    add_rollout_arguments(rollout)
    _add_run_options(rollout, printed="result.json", plants=True)
    rollout.set_defaults(handler=_rollout)
    stages = commands.add_parser("load_stages", help="the document's loads, and the knee", allow_abbrev=False)
    add_stages_arguments(stages)
    _add_run_options(stages, printed="result.json")
    stages.set_defaults(handler=_by("harness.rehearsals.load_stages.command"))
    _add_scaling(commands)
    _add_network(commands)
    _add_secret_rotation(commands)
    _add_under_load(commands)
    undo = commands.add_parser("undo", help="end what killed runs had begun and left", allow_abbrev=False)
    add_undo_arguments(undo)
    reconcile = commands.add_parser(
        "reconcile", help="make PostgreSQL and Firestore of a live stack agree", allow_abbrev=False
    )
    add_reconcile_arguments(reconcile)
    conformance = commands.add_parser("conformance", help="check a target against the contract", allow_abbrev=False)
    add_conformance_arguments(conformance, DEFAULT_SEED)
    flag_proof = commands.add_parser(
        "flag_proof", help="prove how the flag switches clients, and that no walk is lost", allow_abbrev=False
    )
    add_flag_proof_arguments(flag_proof, DEFAULT_SEED, TARGET_HELP)
    mirror_stop = commands.add_parser(
        "mirror_stop",
        help="stop the mirror stepwise and show what a roll back loses",
        allow_abbrev=False,
    )
    add_mirror_stop_arguments(mirror_stop, DEFAULT_SEED)
    recovery = commands.add_parser("dr_restore", help="rehearse disaster recovery", allow_abbrev=False)
    add_recovery_arguments(recovery, DEFAULT_SEED)
    for with_a_page in (conformance, flag_proof, mirror_stop, recovery):
        add_lang(with_a_page)
    add_stored_commands(commands, REPORTS)
    _add_stack(commands)
    check = commands.add_parser("check", help="check plans, scenarios and experiments", allow_abbrev=False)
    add_check_arguments(check)
    check.set_defaults(handler=_by("harness.cli.check"))
    doctor = commands.add_parser("doctor", help="say what this machine has and lacks", allow_abbrev=False)
    doctor.add_argument("--json", action="store_true", help="print the checks as JSON")
    doctor.set_defaults(handler=_doctor)
    return top


def _add_under_load(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What happens to a stack while users and probes are on it."""
    chaos = commands.add_parser("chaos", help="experiments of chaos under load", allow_abbrev=False)
    add_chaos_arguments(chaos)
    _add_run_options(chaos, printed="result.json")
    chaos.set_defaults(handler=_by("harness.rehearsals.chaos.command", "run_chaos"))
    nightly = commands.add_parser("chaos_nightly", help="schedules of experiments, drawn", allow_abbrev=False)
    add_nightly_arguments(nightly)
    _add_run_options(nightly, printed="result.json")
    nightly.set_defaults(handler=_by("harness.rehearsals.chaos.command", "run_nightly"))
    rolling = commands.add_parser("rolling_update", help="pods replaced under load", allow_abbrev=False)
    add_rolling_arguments(rolling)
    _add_run_options(rolling, printed="result.json")
    rolling.set_defaults(handler=_by("harness.rehearsals.chaos.rolling"))
    deploy = commands.add_parser(
        "deploy_rehearsal", help="versions rolled out and undone under load", allow_abbrev=False
    )
    add_deploy_arguments(deploy)
    _add_run_options(deploy, printed="result.json")
    deploy.set_defaults(handler=_by("harness.rehearsals.deploy.command"))


def _add_scaling(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``scaling`` and ``zone_loss``: two plans, one form."""
    for name, told in (
        ("scaling", "scaling by hand, by the HPA, under the PDB"),
        ("zone_loss", "a zone lost under load, as written and with a spread"),
    ):
        command = commands.add_parser(name, help=told, allow_abbrev=False)
        add_scaling_arguments(command)
        _add_run_options(command, printed="result.json")
        command.set_defaults(handler=_by("harness.rehearsals.scaling.command"))


def _add_network(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    network = commands.add_parser("network", help="who reaches whom, with NetworkPolicies", allow_abbrev=False)
    add_network_arguments(network)
    _add_run_options(network, printed="result.json")
    network.set_defaults(handler=_by("harness.rehearsals.network.command"))


def _add_secret_rotation(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("secret_rotation", help="a database password rotated under load", allow_abbrev=False)
    add_secret_rotation_arguments(command)
    _add_run_options(command, printed="result.json")
    command.set_defaults(handler=_by("harness.rehearsals.secret_rotation.command"))


def _add_stack(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``stack up|keep|status|down``."""
    stack = commands.add_parser("stack", help="bring a stack up, or keep its slow parts running", allow_abbrev=False)
    verbs = stack.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="a whole stack, until Ctrl-C or `stack down`", allow_abbrev=False)
    up.add_argument("--detach", action="store_true", help="return when it is up")
    _add_run_options(up, printed="where everything answers")
    up.set_defaults(handler=_by("harness.cli.stack_command", "up"), scenario="rollout_week1")
    keep = verbs.add_parser("keep", help="start the slow parts, for later runs to take over", allow_abbrev=False)
    keep.add_argument("--on", choices=["local", "kind"], default="local", help="the environment (default: local)")
    status = verbs.add_parser("status", help="what was left running (10: some of it is broken)", allow_abbrev=False)
    status.add_argument("--json", action="store_true", help="print it as JSON")
    down = verbs.add_parser("down", help="end all that was left running", allow_abbrev=False)
    down.add_argument("--force", action="store_true", help="also kept parts that a run uses: the run will break")
    status.add_argument("--on", choices=["local", "kind"], help="what is kept of one environment (default: everything)")
    down.add_argument(
        "--on",
        choices=["local", "kind", "kube"],
        help="what is kept of one environment, left on a cluster (default: all here)",
    )
    add_cluster_arguments(down)
    for command in (keep, status, down):
        command.set_defaults(handler=_stack)


def main(arguments: Sequence[str]) -> int:
    """Runs one command; every error a person can mend is printed without a traceback."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as error:  # argparse ends in 0 for --help and 2 for wrong usage
        return error.code if isinstance(error.code, int) else Exit.USAGE
    try:
        return int(options.handler(options))
    except RehearsalError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return Exit.INTERRUPTED
    except Exception:
        traceback.print_exc()
        sys.stderr.write("internal error: please keep the report's folder and tell the maintainers\n")
        return Exit.INTERNAL


def with_output(status: int) -> int:
    """``status``, or the more severe 31 when the disk under standard output took less than was said."""
    lost = terminal.output_lost()
    if lost is None:
        return status
    sys.stderr.write(f"error: standard output could not be written: {lost.strerror}\n  to do: free some space\n")
    return more_severe(Exit(status), Exit.RUN_BROKEN) if status in set(Exit) else status


def _by(module: str, function: str = "run") -> Callable[[argparse.Namespace], int]:
    """A command's function, whose module loads when it is called: SciPy and psutil come with it."""

    def handler(arguments: argparse.Namespace) -> int:
        return int(getattr(import_module(module), function)(arguments))

    return handler


def _rollout(arguments: argparse.Namespace) -> int:
    from harness.rehearsals.rollout.command import rollout

    return rollout(arguments, lambda words: parser().parse_args(["rollout", *words]))


def _stack(arguments: argparse.Namespace) -> int:
    from harness.cli import stack_command

    verbs = {"keep": stack_command.keep, "status": stack_command.status, "down": stack_command.down}
    return int(verbs[arguments.verb](arguments))


def _doctor(arguments: argparse.Namespace) -> int:
    from harness.cli.doctor import examine

    checks = examine()
    if arguments.json:
        sys.stdout.write(
            json.dumps([{"name": c.name, "ok": c.ok, "found": c.found, "remedy": c.remedy} for c in checks])
        )
        sys.stdout.write("\n")
    else:
        for check in checks:
            sys.stdout.write(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.found}\n")
            if not check.ok:
                sys.stdout.write(f"       to do: {check.remedy}\n")
    return Exit.OK if all(check.ok for check in checks) else Exit.HOLD
