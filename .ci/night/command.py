"""The command line of ``.ci/nightly``. Exit statuses: 0, 1 red (or: may not be deployed), 2 wrong usage, 3 untold."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from harness.base import bootstrap
from night import (
    brief,
    compared,
    course,
    files,
    gate,
    gather,
    image,
    jobs,
    own_cluster,
    preconditions,
    record,
    running,
    seeds,
    tell,
)
from night.errors import RED, Trouble
from night.github import GitHub

REPORTS = preconditions.ROOT / "reports"
RESULTS = REPORTS / "night"
SEEDS = Path("failing-seeds.json")
NIGHTS = Path(record.FILE)


def _preconditions(given: argparse.Namespace) -> int:
    lines, wrong = preconditions.report(given.needs, preconditions.Machine())
    print(*lines, sep="\n", flush=True)
    if wrong:
        print("\nthis runner cannot run the job:", *(f"- {line}" for line in wrong), sep="\n", file=sys.stderr)
    return RED if wrong else 0


def _matrix(given: argparse.Namespace) -> int:
    print(f"matrix={json.dumps(jobs.matrix(jobs.read(given.jobs)))}")
    return 0


def _run(given: argparse.Namespace) -> int:
    job = jobs.named(jobs.read(given.jobs), given.job)
    kept = seeds.read(given.seeds)
    runner = running.Runner(job, given.seed, cwd=given.folder, reports=given.reports, into=given.results)
    result = runner.run(kept)
    running.say(f"{job.name} is {'green' if result.good else 'red'}: {runner.folder / running.RESULT}")
    return 0 if result.good else RED


def _gather(given: argparse.Namespace) -> int:
    environment = os.environ
    run = environment.get("GITHUB_RUN_ID", "")
    url = f"{environment.get('GITHUB_SERVER_URL', '')}/{environment.get('GITHUB_REPOSITORY', '')}/actions/runs/{run}"
    digest = gate.digest(given.image) if given.image else ""
    planned = jobs.read(given.jobs)
    night = gather.gather(
        planned,
        given.results,
        seeds.read(given.seeds),
        commit=environment.get("GITHUB_SHA", ""),
        run_url=url if run else "",
        image_digest=digest,
    )
    first = _remembered(given.nights, record.of(planned, night, run))
    told = f"{first}\n<details><summary>Every job</summary>\n\n{gather.text(night)}\n</details>\n"
    files.write(given.out / gate.FILE, night.document())
    (given.out / "night.md").write_text(told, encoding="utf-8")
    files.write(given.seeds, seeds.encoded(night.failing))
    if page := environment.get("GITHUB_STEP_SUMMARY"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(told)
    if output := environment.get("GITHUB_OUTPUT"):
        with Path(output).open("a", encoding="utf-8") as file:
            file.write(
                f"verdict={night.verdict}\nartifact={gate.artifact_name(digest) if digest else 'night-verdict'}\n"
            )
    print(told)
    return 0 if night.verdict == gather.GREEN else RED


def _remembered(path: Path, newest: record.Record) -> str:
    """Keeps the night beside those before it; how they go, in ten lines."""
    known, torn = record.read(path)
    if torn:
        running.say(f"{torn} lines of {path} cannot be read: those nights are left out")
    kept = record.kept(known, newest)
    record.write(path, kept)
    rows, _ = course.rows(course.columns(kept))
    return brief.text(rows, newest)


def _page(given: argparse.Namespace) -> int:
    """Drawn by the harness' own templates, which takes its packages: all else here needs Python alone."""
    if importlib.util.find_spec("msgspec") is None:
        try:
            python = bootstrap.ensure("run")
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            what = f"the packages that draw the page could not be installed: {error}"
            raise Trouble(what, remedy="check the package index; the nights themselves are kept") from error
        return subprocess.run([python, *sys.argv], check=False).returncode
    from night import page  # the packages are here

    records, _ = record.read(given.nights)
    if not records:
        raise Trouble(f"{given.nights} has no night", remedy="let .ci/nightly gather one first")
    for path in page.write(records, given.out):
        print(path)
    return 0


def _tell(given: argparse.Namespace) -> int:
    document = files.read(given.night / gate.FILE, dict)
    done = tell.issue(GitHub.of(os.environ), document, (given.night / "night.md").read_text(encoding="utf-8"))
    print(done, flush=True)
    print(tell.slack(document, done))
    return 0


def _gate(given: argparse.Namespace) -> int:
    branch = given.branch or os.environ.get("DEFAULT_BRANCH", "main")
    oldest = timedelta(hours=given.max_age_hours)
    producer = gate.Producer(branch, given.workflow, signed=not given.unsigned)
    print(gate.allowed(GitHub.of(os.environ), given.image, producer, oldest, gate.utc_now()))
    return 0


def _image(given: argparse.Namespace) -> int:
    image.login(given.login, given.image)
    print(f"{given.name} is {image.take(given.image, given.name)}")
    return 0


def _digest(given: argparse.Namespace) -> int:
    image.login(given.login, given.image)
    print(f"image={image.by_digest(given.image)}")
    return 0


def _week_on_kube(given: argparse.Namespace) -> int:
    return own_cluster.week(["rollout_week3", "--seed", str(given.seed)])


def _compared(given: argparse.Namespace) -> int:
    return compared.compare(given.rehearsal, given.rungs, given.reports)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog=".ci/nightly", description=__doc__, allow_abbrev=False)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, told: str, handler: object) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=told, description=told, allow_abbrev=False)
        command.set_defaults(handler=handler)
        return command

    looked = add("preconditions", "whether this runner has what a job needs", _preconditions)
    looked.add_argument("needs", choices=jobs.NEEDS)
    planned = add("matrix", "the jobs, as a workflow's matrix", _matrix)
    ran = add("run", "one job: yesterday's failing seeds, then its steps", _run)
    ran.add_argument("job")
    ran.add_argument("--seed", type=int, required=True, help="the night's seed, such as the run's number")
    ran.add_argument("--folder", type=Path, default=preconditions.ROOT, help="where its commands run")
    ran.add_argument("--reports", type=Path, default=REPORTS, help="where they write reports")
    gathered = add(
        "gather", "one verdict of all jobs' results; keeps the failing seeds and the night's record", _gather
    )
    gathered.add_argument("--image", default="", help="NAME@sha256:...: the verdict is about this image")
    gathered.add_argument("--out", type=Path, default=RESULTS, help="where night.json and night.md go")
    drawn = add("page", "nights.html and nights.ja.html of the nights that are kept", _page)
    drawn.add_argument("--out", type=Path, default=RESULTS, help="where they go")
    for command in (gathered, drawn):
        command.add_argument("--nights", type=Path, default=NIGHTS, help="the nights' records (default: %(default)s)")
    for command in (planned, ran, gathered):
        command.add_argument("--jobs", type=Path, default=jobs.OURS, help="the file of jobs (default: %(default)s)")
    for command in (ran, gathered):
        command.add_argument("--seeds", type=Path, default=SEEDS, help="the failing seeds (default: %(default)s)")
        command.add_argument("--results", type=Path, default=RESULTS, help="where jobs' results lie")
    told = add("tell", "opens, updates or closes the issue, and tells Slack", _tell)
    told.add_argument("--night", type=Path, default=RESULTS, help="the folder of night.json")
    gated = add("gate", "ends in 0 only when a fresh green verdict is about this image", _gate)
    gated.add_argument("--branch", default="", help="whose nights count (default: DEFAULT_BRANCH, or main)")
    gated.add_argument("--workflow", default=gate.WORKFLOW, help="the file whose runs count (default: %(default)s)")
    gated.add_argument("--unsigned", action="store_true", help="also a verdict that its workflow has not signed")
    gated.add_argument("--max-age-hours", type=float, default=36.0, help="how old it may be (default: %(default)s)")
    taken = add("image", "pulls an image by digest and names it for the rehearsal", _image)
    resolved = add("digest", "the digest that an image's tag leads to now, as a step's output", _digest)
    for command in (gated, taken):
        command.add_argument("image", metavar="NAME@sha256:DIGEST")
    resolved.add_argument("image", metavar="NAME:TAG")
    taken.add_argument("--as", dest="name", required=True, metavar="NAME", help="such as walk-api:rehearsed")
    for command in (taken, resolved):
        command.add_argument("--login", default="", metavar="USER", help="log in first, with REGISTRY_TOKEN")
    week = add("week-on-kube", "week 3 on a cluster reached as somebody's own; it is gone afterwards", _week_on_kube)
    week.add_argument("--seed", type=int, required=True)
    beside = add("compared", "a rehearsal's newest runs in two environments, side by side", _compared)
    beside.add_argument("rehearsal")
    beside.add_argument("rungs", nargs=2, metavar="ENVIRONMENT")
    beside.add_argument("--reports", type=Path, default=REPORTS, help="where they wrote reports")
    return top


def main(arguments: list[str]) -> int:
    """Runs one command; what a person can mend is printed without a traceback."""
    given = parser().parse_args(arguments)
    try:
        return int(given.handler(given))
    except Trouble as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
