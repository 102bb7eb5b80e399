"""``python -m tests.mutants [--minutes N] [--again | --left] [--told] [PACKAGE or MODULE ...]``."""

from __future__ import annotations

import argparse
import sys

from tests.mutants import kept, running


def main(arguments: list[str]) -> int:
    """Measures what is unmeasured, for as long as asked, and keeps what was found; 0 whatever the score."""
    parser = argparse.ArgumentParser(prog="nox -s mutants --", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "names", nargs="*", default=list(kept.PACKAGES), metavar="NAME", help="packages or modules, in order"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so long (60)")
    parser.add_argument("--again", action="store_true", help="also what is measured already: tests were taken away")
    parser.add_argument("--left", action="store_true", help="only what was left, asked of more tests")
    parser.add_argument("--told", action="store_true", help="measure nothing; say what is kept")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in kept.PACKAGES and not kept.package_of(name + "."):
            parser.error(f"{name} is not of {', '.join(kept.PACKAGES)}")
    known, now = kept.read(), kept.digests()
    excluded = kept.follow(known, kept.reasons(), kept.moved(known, now))
    if not options.told:
        _measure(known, now, excluded, options)
        known.scores = kept.scores(known, now, excluded)
        kept.write(known)
        kept.write_reasons(excluded)
    print(*kept.lines(known, now, excluded), sep="\n")
    return 0


def _measure(known: kept.Kept, now: dict[str, str], excluded: dict[str, str], options: argparse.Namespace) -> None:
    running.generate()
    chosen = [
        name
        for each in options.names
        for name in now
        if each in {name, kept.package_of(name)} or name.startswith(each + ".")
    ]
    measured = kept.measured(known, now)
    left = {name: measured[name] for name in chosen if name in measured and measured[name].left and options.left}
    wanted = [*left] if options.left else [name for name in chosen if options.again or name not in measured]
    if options.again:
        running.forget(wanted)
    running.take_over(left, excluded)
    mutants = running.to_run(running.results(), wanted)
    print(f"{len(wanted)} functions to measure, {len(mutants)} mutants to run", flush=True)
    running.run(mutants, options.minutes * 60.0, again=options.again, thorough=options.left)
    running.keep(known, running.results(), now, wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
