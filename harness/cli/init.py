"""``python -m harness init`` and ``demo``: the first two commands of somebody who has a backend of their own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from harness.base.data import ROOT
from harness.base.errors import BadInput, Exit
from harness.base.message import message
from harness.base.typed import PROGRAM
from harness.model.message import gettext_noop
from harness.report.language import language, not_written, write_atomically
from harness.run.arguments import Detailed, InReports, Spoken
from harness.run.command import option

#: What is copied, with what each file is for.
FILES = {
    "rehearsal/target.yaml": gettext_noop("how your backend is started"),
    "rehearsal/week.yaml": gettext_noop("a week of your own: its users, its length, its criteria"),
    "decisions.yaml": gettext_noop("what people decide of claims that no rehearsal can settle"),
    ".github/workflows/rehearsal.yml": gettext_noop("each pull request is rehearsed on GitHub"),
}
#: What is typed next, with what it does.
NEXT = {
    "demo": gettext_noop("a simulated week, in seconds"),
    "run rollout_week3": gettext_noop("week 3 on real processes, with the bundled API"),
    "run rollout_week3 --target rehearsal/target.yaml": gettext_noop("the same with your backend"),
}
_SOURCE = ROOT / "examples" / "starter"


@dataclass(frozen=True, kw_only=True)
class Init(Spoken):
    """Files for your repository: target, week, decisions, a job.

    A file that is there already stays as it is, and the command says so.
    """

    name = "init"
    example = "--into ../backend"

    into: Path = option("the repository's folder (default: the working folder)", Path, default=Path(), metavar="DIR")

    def run(self) -> int:
        """Write each file that is missing, with a line that explains it. Raises ``BadInput`` where it may not."""
        say = language(self.lang)
        if not self.into.is_dir():
            told = message("{folder} is no folder", folder=str(self.into))
            raise BadInput(told, where="--into", remedy="make it, or name another folder")
        for name, purpose in FILES.items():
            path, state = self.into / name, ""
            if path.exists():
                state = say(gettext_noop(" (was there already, and stays as it is)"))
            else:
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise not_written(path, error) from error
                write_atomically(path, (_SOURCE / name).read_bytes())
            sys.stdout.write(f"{path.as_posix():<37} {say(purpose)}{state}\n")
        sys.stdout.write(say(gettext_noop("Type next:")) + "\n")
        width = max(map(len, NEXT))
        for words, purpose in NEXT.items():
            sys.stdout.write(f"  {PROGRAM} {words:<{width}}  {say(purpose)}\n")
        return Exit.OK


@dataclass(frozen=True, kw_only=True)
class Demo(Spoken, InReports, Detailed):
    """Week 3 of the rollout, simulated in seconds.

    Nothing is installed but Python packages, and no process is started. It is no evidence for a sign-off.
    """

    name = "demo"
    example = "--lang ja"

    def run(self) -> int:
        """Run the week in virtual time; it ends in the exit status of its decision."""
        from harness.rehearsals.rollout.command import RunCommand

        return RunCommand(
            scenario="rollout_week3",
            on="sim",
            lang=self.lang,
            reports=self.reports,
            verbose=self.verbose,
            quiet=self.quiet,
        ).run()
