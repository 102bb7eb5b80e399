"""Each mutant in a fork of one process that has collected the tests once: ``python -m tests.mutants.forks``.

Runs in mutmut's folder, beside the mutated code. Standard input is a ``Plan``; the descriptor ``plan.told`` gets a line
a mutant, its name and the exit status as mutmut counts it. A fork runs the tests that reached the mutant's function, the
quick ones first, and ends with the first that fails: most mutants cost hundredths of a second.

What each test reaches is learned once, in a fork too, and kept by the digest of the test's file: a test that changed, or
came, is learned anew; one that now reaches less only costs time, one that now reaches more is not asked.
"""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import msgspec
import pytest
from _pytest.tmpdir import tmppath_result_key

REACHED = Path("reached.json")
#: A test that takes longer runs for no mutant; together no mutant's tests take longer than the second.
QUICK_S = 1.0
TESTS_S = 4.0
#: Of a mutant that those left: some functions are reached by hundreds of tests, and the ones that tell are not first.
THOROUGH_QUICK_S = 3.0
THOROUGH_TESTS_S = 40.0
#: Of processor time, for a test, beyond ten times what it takes unchanged; of time, where a mutant waits for ever.
ENDLESS_CPU_S = 2.0
ENDLESS_S = 300
SAVED_EVERY_S = 10.0  # what was learned
KILLED, SURVIVED, TIMEOUT, NO_TESTS = 1, 0, 36, 33


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``mutants`` in the order in which they run; pytest's ``arguments``; ``again``: learn anew what tests reach.

    ``thorough``: each mutant is asked of ten times as many tests.
    """

    mutants: list[str]
    arguments: list[str]
    told: int
    again: bool = False
    thorough: bool = False


class Learned(msgspec.Struct, kw_only=True):
    """Of a test: the digest of its file, the seconds of processor time it takes, the functions it calls."""

    file: str
    seconds: float
    reaches: list[str]


Found = dict[str, Learned]


class Forks:
    """A plugin: in the place of pytest's loop over tests."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Every mutant of the plan. Raises ``RuntimeError`` where the tests cannot be run."""
        if session.testsfailed:
            raise session.Interrupted("the tests could not be collected")
        items = {item.nodeid: item for item in session.items}
        learned = _learned(session, items, again=self._plan.again)
        longest_s, together_s = (THOROUGH_QUICK_S, THOROUGH_TESTS_S) if self._plan.thorough else (QUICK_S, TESTS_S)
        tests = defaultdict(list)
        for name, each in sorted(learned.items(), key=lambda known: known[1].seconds):
            for function in each.reaches:
                if each.seconds <= longest_s:
                    tests[function].append(name)
        gc.collect()
        gc.freeze()
        for mutant in self._plan.mutants:
            names = _within(tests[mutant.partition("__mutmut_")[0]], learned, together_s)
            status = _judged(mutant, {items[name]: learned[name].seconds for name in names})
            os.write(self._plan.told, f"{mutant} {status}\n".encode())
        return True


def _within(names: Iterable[str], learned: Found, together_s: float) -> list[str]:
    taken, seconds = [], 0.0
    for name in names:
        seconds += learned[name].seconds
        if seconds > together_s:
            break
        taken.append(name)
    return taken


def _judged(mutant: str, seconds: Mapping[pytest.Item, float]) -> int:
    """``seconds`` are the tests that are asked, with the processor time that each takes unchanged."""
    if not seconds:
        return NO_TESTS

    def tried() -> int:
        for ends in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(ends, signal.SIG_DFL)
        signal.alarm(ENDLESS_S)
        _under(mutant)
        return KILLED if _fails(seconds) else SURVIVED

    status = os.waitstatus_to_exitcode(_forked(tried))
    if status in {-signal.SIGPROF, -signal.SIGALRM, -signal.SIGKILL}:
        return TIMEOUT
    return KILLED if status < 0 else status


def _fails(seconds: Mapping[pytest.Item, float]) -> bool:
    """Without pytest's reports, which cost more than most tests; the first that fails is not even taken down."""
    for item, following in zip(seconds, [*list(seconds)[1:], None], strict=True):
        signal.setitimer(signal.ITIMER_PROF, ENDLESS_CPU_S + 10.0 * seconds[item])
        _made_ready(item)
        item.stash[tmppath_result_key] = {}  # the report's outcome, which tmp_path looks for when it is taken down
        try:
            item.ihook.pytest_runtest_setup(item=item)
            item.ihook.pytest_runtest_call(item=item)
        except pytest.skip.Exception:
            pass
        except BaseException:
            return True
        item.ihook.pytest_runtest_teardown(item=item, nextitem=following)
    return False


def _made_ready(item: pytest.Item) -> None:
    """As pytest's own protocol does with an item that has run before, which has lost its request."""
    if isinstance(item, pytest.Function) and not getattr(item, "_request", None):
        item._initrequest()


def _forked(work: Callable[[], int]) -> int:
    """The status, as ``waitpid`` gives it, of a fork that ends in what ``work`` returns; in 1 when it raises."""
    child = os.fork()
    if not child:
        status = KILLED
        try:
            status = work()
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def _under(mutant: str) -> None:
    from mutmut.mutation.trampoline import set_mutant_under_test

    set_mutant_under_test(mutant)


def _learned(session: pytest.Session, items: dict[str, pytest.Item], *, again: bool) -> Found:
    """What is known of the tests that there are, new ones learned first."""
    digests = {path: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in {i.path for i in items.values()}}
    known = {} if again or not REACHED.exists() else msgspec.json.decode(REACHED.read_bytes(), type=Found)
    known = {name: each for name, each in known.items() if name in items and each.file == digests[items[name].path]}
    if new := {name: item for name, item in items.items() if name not in known}:
        sys.stderr.write(f"learning what {len(new)} tests reach\n")
        if os.waitstatus_to_exitcode(_forked(lambda: _learn(session, new, digests, known))):
            raise RuntimeError("what the tests reach could not be learned: see above")
        known = msgspec.json.decode(REACHED.read_bytes(), type=Found)
    return known


def _learn(session: pytest.Session, new: dict[str, pytest.Item], digests: dict[Path, str], known: Found) -> int:
    from mutmut.state import state

    _under("stats")
    called, last, saved_s = state()._stats, next(reversed(new)), time.monotonic()
    for name, item in new.items():
        called.clear()
        began_s = time.process_time()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        seconds, failed = round(time.process_time() - began_s, 4), session.testsfailed
        session.testsfailed = 0
        if failed:
            sys.stderr.write(f"{name} fails beside the mutated code, and is not asked\n")
        reaches = [] if failed else sorted(called)
        if not failed and _forked(partial(_fails, {item: seconds})):
            sys.stderr.write(f"{name} fails where it runs without pytest's reports, and is not asked\n")
            reaches = []
        known[name] = Learned(file=digests[item.path], seconds=seconds, reaches=reaches)
        if time.monotonic() - saved_s > SAVED_EVERY_S or name == last:
            REACHED.write_bytes(msgspec.json.encode(known))
            saved_s = time.monotonic()
    return 0


def main() -> int:
    """Ends in pytest's status: 0 when every mutant has run."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    return int(pytest.main(plan.arguments, plugins=[Forks(plan)]))


if __name__ == "__main__":
    sys.exit(main())
