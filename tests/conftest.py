"""Settings of all tests, which of them run, and the fixture that several packages of tests share."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from harness.stack.manifests import kustomize
from tests import main_job, ports
from tests.kind.shared import STANDING, kind_cluster
from tests.real_runs import advanced_run, rolled_back_run
from tests.session import ending, files, groups, guard, homes, rendered, told, workers
from tests.session.examples import SAME
from tests.session.record import Recorder

__all__ = ["advanced_run", "kind_cluster", "rolled_back_run"]

# pytest-asyncio asks for the current event loop, which Python 3.11 makes on the spot and nobody closes: a
# ResourceWarning, and so an error. Said that there is none, it makes none.
asyncio.set_event_loop(None)

# How long an example takes says what else the machine does, never whether the code is right. A change is held to the
# same few examples each time; `nox -s nightly` draws others, and more (--hypothesis-profile search;
# tests/session/examples.py), and prints how to draw them again.
settings.register_profile("same", deadline=None, derandomize=True, max_examples=SAME)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("same")

LONGEST_ID = 120  # characters of one parameter
GROUP = pytest.StashKey[str]()
HOME = pytest.StashKey[homes.WorkerHome]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The only switches of what runs; a ``-m`` of one's own chooses among what they leave."""
    option = parser.getgroup("rehearsal").addoption
    option("--groups", default="", metavar="NAMES", help=f"only these groups: {', '.join(groups.ALL)}")
    option("--nightly", action="store_true", help="also the tests that are too slow for every change")
    option("--alone", choices=["only", "without"], help="only, or without, those marked `alone`: they measure time")
    option("--files", type=Path, metavar="FILE", help="write there which groups' tests each collected file holds")
    option("--record", type=Path, metavar="FILE", help="write there what each test cost and how it ended")


def pytest_configure(config: pytest.Config) -> None:
    """Declares the groups' markers, and refuses an unknown group before anything is collected."""
    for name, meaning in groups.GROUPS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    try:
        wanted = groups.chosen(config.getoption("--groups"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    if wanted <= groups.IN_PROCESS:
        homes.in_memory(os.environ)
    ending.hear_once()
    if workers.is_one(config):
        config.stash[HOME] = homes.WorkerHome()
        ports.hold()
        config.pluginmanager.register(told)
        return
    config.pluginmanager.register(ending.Ending(config), "rehearsal-ending")
    if (file := config.getoption("--record")) is not None:
        config.pluginmanager.register(Recorder(file), "rehearsal-recorder")


def pytest_make_parametrize_id(val: object) -> str | None:
    """A long text is named by its beginning and length: an id goes from process to process with each report, and one
    parameter has five megabytes.
    """
    if not isinstance(val, str | bytes) or len(val) <= LONGEST_ID:
        return None
    begins = val[: LONGEST_ID // 2]
    text = begins if isinstance(begins, str) else begins.decode("ascii", "backslashreplace")
    return f"{text}...{len(val)}"


def pytest_keyboard_interrupt() -> None:
    """Ctrl-C ends the jobs under way first, for their folder is left next; what else is under way, ``ending`` ends."""
    main_job.end_all()


@pytest.hookimpl(trylast=True)  # after Ctrl-C, fixtures are torn down before it
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker whose tests were cut goes back to the machine's own folder; what raises here, no controller hears of."""
    if HOME in session.config.stash:
        session.config.stash[HOME].leave()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out other groups and, unless asked for, the nightly tests; tells workers what stays together."""
    wanted, night = groups.chosen(config.getoption("--groups")), config.getoption("--nightly")
    apart = config.getoption("--alone")
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    held: list[tuple[str, files.Held]] = []
    for item in items:
        names = groups.marker_names(item)
        item.stash[GROUP] = groups.group_of(names)
        item.user_properties.append(("group", item.stash[GROUP]))
        of_the_hour = night or groups.NIGHTLY not in names
        if of_the_hour:
            held.append((item.nodeid.split("::")[0], files.Held(item.stash[GROUP], groups.ALONE in names)))
        fits = of_the_hour and item.stash[GROUP] in wanted
        fits = fits and apart in {None, "only" if groups.ALONE in names else "without"}
        (kept if fits else left_out).append(item)
    items[:] = kept
    if (file := config.getoption("--files")) is not None and workers.is_first(config):
        files.write(file, held)
    if getattr(config.option, "loadgroup", False):  # a worker: the longest first, so that no one is last alone
        items.sort(key=lambda item: groups.ALL.index(item.stash[GROUP]))
    workers.keep_together(kept, lambda item: item.stash[GROUP])
    if left_out:
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nothing that is collected goes again: to look through it for garbage meanwhile is a sixth of the time it takes."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is there now stays to the end: it is not looked through again for garbage, and young objects are seldom. In
    a process with thousands of collected tests that is a twentieth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@contextmanager
def _in_process(item: pytest.Item) -> Iterator[None]:
    """Keeps an in-process test in process, folders of manifests too where that can be (``rendered``)."""
    watched = item.stash.get(GROUP, groups.FAST) in groups.IN_PROCESS
    with pytest.MonkeyPatch.context() as patch, guard.watching(item.nodeid if watched else ""):
        if watched:
            patch.setattr(kustomize, "rendered", rendered.printed)
            patch.setattr(kustomize, "render", rendered.render)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """An in-process test's fixtures stay in process; the cluster's worker is in the machine's own folder."""
    if item.stash.get(GROUP, "") in workers.ON_THE_CLUSTER and HOME in item.config.stash:
        _leave_home(item.config)
    with _in_process(item):
        return (yield)


def _leave_home(config: pytest.Config) -> None:
    """A worker says what runs its tests left behind: nothing else looks there."""
    left = config.stash[HOME].leave()
    assert not left, f"tests left runs in {config.stash[HOME].folder}: {', '.join(left)}; the next worker sweeps them"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """An in-process test stays in process."""
    with _in_process(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """No run outlives its test, however that ended; one that a test left under way although it passed fails it. Nor
    does the cluster outlive the last test of it, where a worker has all of those.
    """
    result = yield
    left = main_job.end_all()
    assert not left, f"still under way when the test had ended, and ended now: {', '.join(left)}"
    following = "" if nextitem is None else nextitem.stash.get(GROUP, "")
    together = getattr(item.config.option, "loadgroup", False)
    if together and workers.leaves_the_cluster(item.stash.get(GROUP, ""), following):
        item.config.stash.get(STANDING, ExitStack()).close()
    if nextitem is None and HOME in item.config.stash:  # the worker's last, behind all fixtures
        _leave_home(item.config)
    return result
