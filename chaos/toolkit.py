"""Runs one experiment: ``python -m chaos.toolkit EXPERIMENT.json JOURNAL.json``, with ``TEKUTOKO_CHAOS_SOCKET`` set.

Rollbacks always run. Exit status 0 when Chaos Toolkit wrote its journal, whatever the experiment came to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from chaoslib.experiment import ensure_experiment_is_valid, run_experiment
from chaoslib.types import Strategy

SETTINGS = {"runtime": {"rollbacks": {"strategy": "always"}}}


def main(arguments: list[str]) -> int:
    """The exit status."""
    experiment = json.loads(Path(arguments[0]).read_text())
    ensure_experiment_is_valid(experiment)
    journal = run_experiment(experiment, settings=SETTINGS, strategy=Strategy.DEFAULT)
    Path(arguments[1]).write_text(json.dumps(journal, indent=2, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
