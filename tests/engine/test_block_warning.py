"""R40: what keeps the event loop from turning is named while it does, with the line it is at.

Bodies here block in earnest, until they are reported; the loop's own time is virtual. Where it matters how long they
do, a watch is made to look at the loop at times that the test makes up.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from tests.engine.support import ok, sleeps
from treetask import AsyncExecutor, TaskNode, TaskTree, TreeBuilder, TreeTaskConfig, _clock
from treetask.engine import _run, _watchdog
from treetask.engine._loop import Loop, current_loop
from treetask.engine._watchdog import Watchdog
from treetask.model import TaskFunction

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 20
FIX = "  use anyio.to_thread.run_sync, or declare the body with plain def"
#: Not sooner: on a busy machine the loop may have to wait for its turn in the middle of any line.
SOON = TreeTaskConfig(block_warning=0.1, max_retries=0)


class Reports(logging.Handler):
    """What was said of blocked loops, without the seconds in it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.some = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(re.sub(r"\d+\.\d+ s", "… s", record.getMessage()))
        self.some.set()

    def wait(self) -> None:
        """Block, until that is reported."""
        assert self.some.wait(DEADLINE)

    def accused(self) -> list[str]:
        """Who was said to block."""
        return [one.split(" has ")[0] for one in self.said if " has blocked " in one]


@pytest.fixture
def reports() -> Iterator[Reports]:
    """What the engine says."""
    handler, logger = Reports(), logging.getLogger("treetask")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture(autouse=True)
def watchdog(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchdog]:
    """A watchdog that has watched nothing yet."""
    watchdog = Watchdog()
    monkeypatch.setattr(_run, "watchdog", watchdog)
    yield watchdog
    thread = watchdog._thread
    if thread is not None:
        monkeypatch.setattr(_watchdog, "_PATIENCE", 0)
        watchdog._has_news = False
        watchdog._alarm.set()
        thread.join(DEADLINE)


def tree_of(body: TaskFunction, config: TreeTaskConfig = SOON) -> TaskTree:
    """Return a tree in which one body runs beside others."""
    builder = TreeBuilder("root", config=config)
    return builder.add_child("one", task=sleeps(9)).add_child("slow", task=body).add_child("two", task=ok).build()


def place(mark: str) -> str:
    """Return where a mark stands in this file, as a report shows it."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}"))
    return f"  {os.path.relpath(__file__)}:{number}"


# -- who is named ------------------------------------------------------------------------------------------------------


async def test_body_that_blocks_is_reported_with_its_node_its_lines_and_the_fix(reports: Reports) -> None:
    """While it still does; of the stack it is the user's own frames that are shown."""

    async def slow(node: TaskNode) -> None:
        fetch()  # calls

    def fetch() -> None:
        assert reports.some.wait(DEADLINE)  # blocks

    await AsyncExecutor(tree_of(slow)).run()

    assert reports.said[0] == (
        "'slow' has blocked the event loop for over … s:\n"
        f"{place('calls')} in slow\n"
        "    fetch()  # calls\n"
        f"{place('blocks')} in fetch\n"
        "    assert reports.some.wait(DEADLINE)  # blocks\n"
        f"{FIX}"
    )


def after_a_wait(block: Callable[[], None]) -> TaskFunction:
    """Return a body that blocks in a later step."""

    async def body(node: TaskNode) -> None:
        await anyio.sleep(1)
        block()

    return body


def in_a_task(block: Callable[[], None]) -> TaskFunction:
    """Return a body that blocks in a task that it has started."""

    async def blocks() -> None:
        await anyio.lowlevel.checkpoint()
        block()

    async def body(node: TaskNode) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(blocks)

    return body


def between_yields(block: Callable[[], None]) -> TaskFunction:
    """Return a body that yields, and blocks before it goes on to."""

    async def body(node: TaskNode) -> AsyncGenerator[None, None]:
        yield
        block()
        yield

    return body


@pytest.mark.parametrize("make_body", [after_a_wait, in_a_task, between_yields])
async def test_node_is_named_wherever_its_body_blocks(
    reports: Reports, make_body: Callable[[Callable[[], None]], TaskFunction]
) -> None:
    """Also where the engine did not start what runs, or has run other bodies in the same task."""
    await AsyncExecutor(tree_of(make_body(reports.wait))).run()

    assert reports.accused()[0] == "'slow'"


async def test_what_is_no_body_is_reported_as_that(reports: Reports) -> None:
    """A task of the program, beside the run, and a callback of the run: no node is blamed for them."""

    async def beside() -> None:
        await anyio.sleep(1)
        reports.wait()

    def on_node_start(node: TaskNode) -> None:
        if node.id == "later":
            reports.some.clear()
            reports.wait()

    tree = (
        TreeBuilder("root", parallel=False, config=SOON)
        .add_child("waits", task=sleeps(2))
        .add_child("later", task=ok)
        .build()
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree, on_node_start=on_node_start).run)
        tasks.start_soon(beside)

    assert set(reports.accused()) == {"something that is no task of 'root'"}
    assert {one.splitlines()[1].split(" in ")[1] for one in reports.said if "\n" in one} == {"beside", "on_node_start"}


async def test_of_two_runs_on_one_loop_the_one_with_the_body_is_asked(reports: Reports) -> None:
    """One report for one blockage, by the shorter patience of the two."""

    async def slow(node: TaskNode) -> None:
        await anyio.sleep(1)
        reports.wait()

    other = TreeBuilder("other", config=SOON).add_child("waits", task=sleeps(5)).build()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(other).run)
        tasks.start_soon(AsyncExecutor(tree_of(slow, TreeTaskConfig(block_warning=60))).run)

    assert set(reports.accused()) == {"'slow'"}


def test_each_of_several_loops_is_watched(reports: Reports) -> None:
    """In several threads at once, on both kinds of loop; each body blocks until all were named."""
    names = {"asyncio", "trio", "another"}
    threads: list[threading.Thread] = []
    all_named = threading.Event()

    class Names(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if {f"'{name}'" for name in names} <= set(reports.accused()):
                all_named.set()

    async def slow(node: TaskNode) -> None:
        assert all_named.wait(DEADLINE)

    def run(name: str) -> None:
        tree = TreeBuilder("root", config=SOON).add_child(name, task=slow).build()
        anyio.run(AsyncExecutor(tree).run, backend=name if name != "another" else "asyncio")

    handler = Names()
    logging.getLogger("treetask").addHandler(handler)
    for name in names:
        threads.append(threading.Thread(target=run, args=(name,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    logging.getLogger("treetask").removeHandler(handler)

    assert all_named.is_set()


# -- when it is told ---------------------------------------------------------------------------------------------------


class Looks:
    """A watch of the current loop on behalf of one run, which looks when it is told to, while this thread waits."""

    def __init__(self, limit: float) -> None:
        self.tree = TreeBuilder("root").build()
        self.loop: Loop = current_loop()
        self._watch = _watchdog._Watch(self.loop)
        self._watch.add(self, limit)

    def belong_to(self, watchdog: Watchdog) -> None:
        """Be one of those that a watchdog has made."""
        watchdog._watches[self.loop.identity] = self._watch

    def node_of(self, task: object) -> None:
        return None

    def at(self, now: float, *, due: float | None = None, stood: float = 0.0) -> None:
        """Block the loop, which is looked at meanwhile."""
        self._look(now, now if due is None else due, stood)

    def at_breakpoint(self, now: float) -> None:
        """Let a debugger block the loop."""
        exec("look()", {"__name__": "bdb", "look": lambda: self._look(now, now, 0.0)})

    async def when_idle(self, now: float) -> None:
        """Look while the loop waits for events."""
        await anyio.to_thread.run_sync(self._watch.look, now, now, 0.0)

    @property
    def is_asking(self) -> bool:
        return self._watch._beat is not None

    def _look(self, now: float, due: float, stood: float) -> None:
        thread = threading.Thread(target=self._watch.look, args=(now, due, stood))
        thread.start()
        thread.join()


async def turn() -> None:
    """Let the loop make the callbacks that it was asked for."""
    for _ in range(5):
        await anyio.sleep(0)


async def test_report_comes_when_the_time_is_over_and_again_when_much_more_is(reports: Reports) -> None:
    """Not before, and not at every look: a body at a breakpoint over night is no reason for a thousand lines."""
    looks = Looks(limit=1)
    told: list[float] = []

    for now in (10, 10.9, 11, 11.1, 13, 13.9, 14, 20, 25.9, 26, 50):
        before = len(reports.said)
        looks.at(now)
        if len(reports.said) > before:
            told.append(now)

    assert told == [11, 14, 26]


async def test_end_is_told_if_it_came_much_later_than_was_told(reports: Reports) -> None:
    """How long it was in all, once; one that ended soon after the report needs no second line."""
    looks = Looks(limit=100)
    who = "something that is no task of 'root'"
    end = _clock.monotonic()

    for began in (end - 120, end - 180):
        looks.at(began)
        looks.at(began + 100)
        await turn()
        await looks.when_idle(end)
        await looks.when_idle(end + 50)

    assert [one.partition("\n")[0] for one in reports.said] == [
        f"{who} has blocked the event loop for over … s:",
        f"{who} has blocked the event loop for over … s:",
        f"{who} blocked the event loop for over … s in all",
    ]


async def test_run_that_ends_with_what_blocked_tells_the_end_too(reports: Reports, watchdog: Watchdog) -> None:
    """There is no look after it."""
    looks = Looks(limit=100)
    looks.belong_to(watchdog)

    began = _clock.monotonic() - 180
    with watchdog.watching(looks, 100):
        looks.at(began)
        looks.at(began + 100)
        assert len(reports.said) == 1

    assert len(reports.said) == 2
    assert reports.said[1] == "something that is no task of 'root' blocked the event loop for over … s in all"


async def test_loop_that_turns_between_is_not_reported(reports: Reports) -> None:
    """What blocks often, but never for long, is no affair of the watchdog."""
    looks = Looks(limit=1)

    for tenth in range(50):
        looks.at(tenth / 10)
        await turn()

    assert reports.said == []


async def test_next_task_does_not_answer_for_the_one_before(reports: Reports) -> None:
    """Two tasks that block in the same turn of the loop are two that block, each for its own time."""
    looks = Looks(limit=1)
    times = iter((10, 10.6, 10.7, 11.3))

    async def blocks() -> None:
        looks.at(next(times))
        looks.at(next(times))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(blocks)
        tasks.start_soon(blocks)

    assert reports.said == []


async def test_loop_that_waits_for_events_is_not_woken(reports: Reports) -> None:
    """It is seen to wait, so it is not asked; one that is blocked is."""
    looks = Looks(limit=1)

    await looks.when_idle(10)
    assert not looks.is_asking
    await looks.when_idle(12)
    assert reports.said == []
    looks.at(13)
    assert looks.is_asking


async def test_look_that_foreign_code_has_held_up_reports_it(reports: Reports) -> None:
    """While such code keeps the interpreter to itself no thread can look; what is seen is its last line."""
    looks = Looks(limit=1)

    looks.at(20, due=10)

    assert reports.accused() == ["something that is no task of 'root'"]


async def test_time_in_which_the_process_stood_still_does_not_count(reports: Reports) -> None:
    """Ctrl-Z and fg, or the lid of a laptop: nothing was blocked meanwhile."""
    looks = Looks(limit=1)

    looks.at(10)
    looks.at(100.5, stood=90)
    assert reports.said == []
    looks.at(101)
    assert len(reports.said) == 1


@pytest.mark.parametrize(
    ("nap", "computed", "stood"),
    [(10, 10, 0), (9, 0, 0), (19, 0, 0), (70, 69, 0), (70, 30, 0), (70, 0.2, 60), (70, 10.2, 60)],
)
def test_late_look_tells_a_process_that_stood_from_one_that_computed(nap: float, computed: float, stood: float) -> None:
    """A nap of 10 s took 70: if the process has computed meanwhile, somebody was busy, else nobody was there."""
    assert _watchdog._standstill(nap, 10, computed) == stood


async def test_body_at_a_breakpoint_is_not_reported(reports: Reports) -> None:
    """Who debugs it knows; its time begins when it goes on."""
    looks = Looks(limit=1)

    for now in range(10, 20):
        looks.at_breakpoint(now)
    looks.at(19.5)
    assert reports.said == []
    looks.at(20.5)
    assert len(reports.said) == 1


async def test_line_that_blocks_over_and_over_is_told_ever_more_seldom(reports: Reports) -> None:
    """A thousand bodies with the same mistake are one mistake."""
    looks = Looks(limit=1)

    for number in range(40):
        for tenths in (0, 10):
            looks.at(10 * number + tenths / 10)
        await turn()

    remarks = [match[1] for one in reports.said if (match := re.search(r"for over … s(.*):\n", one))]
    assert remarks == [*[""] * 8, " (16 times in this line)", " (32 times in this line)"]


async def test_deep_stack_is_cut_in_the_middle(reports: Reports) -> None:
    """The line of the body and the one that blocks are there, the recursion between them is counted."""

    def sink(depth: int) -> None:
        if depth:
            sink(depth - 1)
        else:
            reports.wait()

    async def slow(node: TaskNode) -> None:
        sink(50)

    await AsyncExecutor(tree_of(slow)).run()

    lines = reports.said[0].splitlines()
    assert [line.split(" in ")[1] for line in lines if " in " in line] == ["slow", *["sink"] * 4, "wait"]
    assert "  … 47 more frames" in lines


# -- the thread --------------------------------------------------------------------------------------------------------


async def test_none_turns_it_off(watchdog: Watchdog) -> None:
    """What is not wanted costs nothing: there is no thread."""
    await AsyncExecutor(tree_of(ok, TreeTaskConfig(block_warning=None))).run()
    assert watchdog._thread is None

    await AsyncExecutor(tree_of(ok, TreeTaskConfig())).run()
    assert watchdog._thread is not None


async def test_thread_ends_after_the_last_run_and_begins_with_the_next(
    reports: Reports, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that has no run has no thread of ours, and no line about what blocks it."""
    monkeypatch.setattr(_watchdog, "_PATIENCE", 0)
    await AsyncExecutor(tree_of(ok)).run()
    first = watchdog._thread
    assert first is not None
    first.join(DEADLINE)
    assert (first.is_alive(), watchdog._thread, reports.said) == (False, None, [])

    async def slow(node: TaskNode) -> None:
        reports.wait()

    await AsyncExecutor(tree_of(slow)).run()
    assert reports.accused()[0] == "'slow'"


async def test_run_that_needs_more_looks_than_the_one_before_gets_them(reports: Reports) -> None:
    """The thread may be in a long nap then."""

    async def slow(node: TaskNode) -> None:
        reports.wait()

    await AsyncExecutor(tree_of(ok, TreeTaskConfig(block_warning=100_000))).run()
    await AsyncExecutor(tree_of(slow)).run()

    assert reports.accused()[0] == "'slow'"


async def test_run_does_without_where_no_thread_can_be_started(
    watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the interpreter, or where there are no threads at all."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    tree = tree_of(ok)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    await AsyncExecutor(tree).run()

    assert (tree.root.status, watchdog._thread) == ("done", None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_handler_that_raises_ends_the_thread_and_no_run(reports: Reports, watchdog: Watchdog) -> None:
    """It is shown as any exception in a thread is, and the next run is watched again."""
    raised = threading.Event()

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raised.set()
            raise OSError("the log is full")

    async def first(node: TaskNode) -> None:
        assert raised.wait(DEADLINE)
        thread = watchdog._thread
        if thread is not None:
            thread.join(DEADLINE)

    async def second(node: TaskNode) -> None:
        reports.some.clear()
        reports.wait()

    handler = Broken()
    logging.getLogger("treetask").addHandler(handler)
    try:
        await AsyncExecutor(tree_of(first)).run()
    finally:
        logging.getLogger("treetask").removeHandler(handler)
    await AsyncExecutor(tree_of(second)).run()

    assert reports.accused()[-1] == "'slow'"


PROGRAM = """
import logging, os, sys, threading
import anyio
from treetask import AsyncExecutor, TreeBuilder, TreeTaskConfig

told = threading.Event()

class Say(logging.Handler):
    def emit(self, record):
        os.write(1, record.getMessage().split(" for over")[0].encode() + b"\\n")
        told.set()

logging.getLogger("treetask").addHandler(Say())

async def slow(node):
    assert told.wait(20)
    told.clear()

def run(name):
    tree = TreeBuilder("root", config=TreeTaskConfig(block_warning=0.1)).add_child(name, task=slow).build()
    anyio.run(AsyncExecutor(tree).run)

run("parent")
if hasattr(os, "fork"):
    child = os.fork()
    run("child" if child == 0 else "parent again")
    if child:
        assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.slow
def test_forked_process_and_the_end_of_one_are_quiet() -> None:
    """A child has a watchdog of its own, whatever the parent's was doing; the thread ends no process with an error."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(PROGRAM)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "ResourceWarning" not in done.stderr
    names = ("parent", "child", "parent again") if hasattr(os, "fork") else ("parent",)
    assert set(done.stdout.splitlines()) == {f"'{name}' has blocked the event loop" for name in names}
