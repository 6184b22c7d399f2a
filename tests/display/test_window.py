"""Which rows a small screen gets, as lines of text on fixed sizes, and what holds for every tree."""

from __future__ import annotations

import sys
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.display.trees import HandEngine, chain, flat, nightly, pipeline, work
from treetask.display._region import region_height
from treetask.display._rows import Columns, window_lines
from treetask.display._standing import NOTHING, Standing, of_node
from treetask.display._terminal import Size
from treetask.display._theme import Theme, theme_for
from treetask.display._window import Memory, MoreRow, NodeRow, Window, final_window, take_window
from treetask.model import TaskNode, TaskStatus, TaskTree, TreeTaskConfig
from treetask.text import display_width, estimate, without_colours

THEME = theme_for(TreeTaskConfig())
ASCII = theme_for(TreeTaskConfig(), "ascii")
COLOURED = theme_for(TreeTaskConfig(), has_colours=True)
COLOURED_ASCII = theme_for(TreeTaskConfig(), "ascii", has_colours=True)
#: How sequences that set colours are written in tests.
MARKS = {
    "\x1b[0m": ">",
    "\x1b[1m": "<bold ",
    "\x1b[2m": "<faint ",
    "\x1b[31m": "<red ",
    "\x1b[32m": "<green ",
    "\x1b[35m": "<magenta ",
    "\x1b[36m": "<cyan ",
}


def lines_of(hand: HandEngine, *, rows: int, width: int = 79, max_depth: int | None = 2) -> list[str]:
    """The lines of a window with that many rows of the tree."""
    window = take_window(hand.tree, rows, max_depth, hand.time)
    return window_lines(window, width, hand.time, THEME)


def running_nightly() -> HandEngine:
    """Extracts done, in the midst of the pages: two failed, one retries, two run for long, twelve have just begun."""
    hand = nightly()
    hand.move("working", "nightly", "extract", *(f"x{number}" for number in range(1000)))
    hand.time = 12.4
    hand.move("done", *(f"x{number}" for number in range(1000)), "extract")
    hand.move("working", "crawl", "p7", "p91", "p92")
    hand.time = 43.4
    retried = hand.tree.find("p91")
    assert retried is not None
    retried.retry_count = 2
    retried.error = "reset by peer"
    hand.move("retrying", "p91")
    hand.fail("p7", "503 Service Unavailable")
    hand.time = 72.0
    others = [f"p{number}" for number in range(4000) if number not in {7, 91, 92}]
    hand.move("working", *others[:3224])
    hand.move("done", *others[:3210])
    return hand


RUNNING = running_nightly()


def test_region_of_a_large_tree() -> None:
    """The parts of the whole, then what failed, retries and runs; the rest of the pages is counted."""
    assert lines_of(running_nightly(), rows=10) == [
        "🔄 nightly                                                     1m 12s",
        "├── ✅ extract         1,000/1,000                              12.4s",
        "├── 🔄 crawl           ━━━━━━━━━━━━━━━━━━━━╸─────  3,211/4,000  59.6s",
        "│   ├── ❌ fetch[7.html]     503 Service Unavailable            31.0s",
        "│   ├── 🔁 fetch[91.html]    retry 2/3  reset by peer           59.6s",
        "│   ├── 🔄 fetch[92.html]                                       59.6s",
        "│   ├── 🔄 fetch[3213.html]",
        "│   └── … 3,996 more (3,210 done, 13 running, 773 waiting)",
        "├── ⏳ checks          after crawl",
        "└── ⏳ publish         after checks",
        "Progress: 4,211/5,003 (84%) · 1m 12s · ETA ~15s · 16 running, 1 failed",
    ]


def test_fewer_rows_show_what_matters_more() -> None:
    """Failed and running rows are not hidden by those that wait or are done; all that is hidden is counted."""
    hand = running_nightly()

    assert lines_of(hand, rows=7) == [
        "🔄 nightly                                                     1m 12s",
        "├── 🔄 crawl           ━━━━━━━━━━━━━━━━━━━━╸─────  3,211/4,000  59.6s",
        "│   ├── ❌ fetch[7.html]   503 Service Unavailable              31.0s",
        "│   ├── 🔁 fetch[91.html]  retry 2/3  reset by peer             59.6s",
        "│   ├── 🔄 fetch[92.html]                                       59.6s",
        "│   └── … 3,997 more (3,210 done, 14 running, 773 waiting)",
        "└── … 1,003 more (1,000 done, 3 waiting)",
        "Progress: 4,211/5,003 (84%) · 1m 12s · ETA ~15s · 16 running, 1 failed",
    ]
    assert lines_of(hand, rows=1) == [
        "🔄 nightly  1m 12s",
        "Progress: 4,211/5,003 (84%) · 1m 12s · ETA ~15s · 16 running, 1 failed",
    ]
    assert lines_of(hand, rows=0) == ["Progress: 4,211/5,003 (84%) · 1m 12s · ETA ~15s · 16 running, 1 failed"]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            39,
            [
                "🔄 nightly                      1m 12s",
                "├── … +1 level ❌ fetch[7.html]  31.0s",
                "└── … 5,002 more (4,210 done, 16 runni…",
                "Progress: 4,211/5,003 (84%) · 1m 12s",
            ],
        ),
        (19, ["🔄 nightly", "├── … +1 level ❌ …", "└── … 5,002 more (…", "84% 4,211/5,003"]),
        (9, ["🔄 night…", "├── … +1…", "└── … 5,…", "84% 4,21…"]),
        (1, ["…", "…", "…", "…"]),
        (0, ["", "", "", ""]),
    ],
)
def test_narrow_rows_leave_out_what_matters_less(width: int, lines: list[str]) -> None:
    """Times go, then bars and counts, then the ends of names; a number is never cut in a row of the tree."""
    assert lines_of(running_nightly(), rows=3, width=width) == lines


def test_rows_in_ascii() -> None:
    """An output that has nothing else gets icons, lines and bars in ASCII, and escapes for the rest."""
    hand = running_nightly()
    hand.tree.root.name = "nächtlich"
    window = take_window(hand.tree, 7, 2, hand.time)

    assert window_lines(window, 79, hand.time, ASCII) == [
        "[>] n\\xe4chtlich                                                1m 12s",
        "|-- [>] crawl           ####################-.....  3,211/4,000  59.6s",
        "|   |-- [!] fetch[7.html]   503 Service Unavailable              31.0s",
        "|   |-- [~] fetch[91.html]  retry 2/3  reset by peer             59.6s",
        "|   |-- [>] fetch[92.html]                                       59.6s",
        "|   `-- ... 3,997 more (3,210 done, 14 running, 773 waiting)",
        "`-- ... 1,003 more (1,000 done, 3 waiting)",
        "Progress: 4,211/5,003 (84%) - 1m 12s - ETA ~15s - 16 running, 1 failed",
    ]


def test_group_that_has_not_started_is_one_row() -> None:
    """As the seed of all frames shows it."""
    hand = pipeline()
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    hand.time = 1.5
    hand.move("done", "task1")

    assert lines_of(hand, rows=10) == [
        "🔄 My Pipeline                                           1.5s",
        "├── 🔄 Phase 1         ━━━━━━━━━━━━━─────────────  1/2   1.5s",
        "│   ├── ✅ Task 1                                        1.5s",
        "│   └── 🔄 Task 2                                        1.5s",
        "└── ⏳ Phase 2",
        "Progress: 1/4 (25%) · 1.5s · ETA ~4s · 1 running",
    ]


def test_group_that_is_done_is_one_row() -> None:
    """With its count and time; nothing more is said of what was in it."""
    hand = pipeline()
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    hand.time = 61.0
    hand.move("done", "task1", "task2", "phase1")
    hand.move("working", "phase2", "task3")

    assert lines_of(hand, rows=10) == [
        "🔄 My Pipeline                                         1m 01s",
        "├── ✅ Phase 1         2/2                             1m 01s",
        "└── 🔄 Phase 2         ──────────────────────────  0/2",
        "    ├── 🔄 Task 3",
        "    └── ⏳ Task 4",
        "Progress: 2/4 (50%) · 1m 01s · ETA ~1m · 1 running",
    ]


def test_failed_group_stays_open_for_its_failures_alone() -> None:
    """A group that is over shows what failed in it and counts the rest."""
    hand = pipeline()
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    hand.fail("task2", "boom")
    hand.move("done", "task1")
    hand.move("failed", "phase1")
    hand.move("skipped", "phase2")

    assert lines_of(hand, rows=10) == [
        "🔄 My Pipeline",
        "├── ❌ Phase 1         2/2        0.0s",
        "│   ├── ❌ Task 2          boom   0.0s",
        "│   └── … 1 more (1 done)",
        "└── ⏩ Phase 2         0/2",
        "Progress: 2/4 (50%) · 0.0s · 1 failed",
    ]


def test_longest_running_come_first() -> None:
    """Of many that run, those that have run longest are shown; then come the next to start."""
    hand = flat(100)
    hand.move("working", "root", "t9")
    hand.time = 5.0
    hand.move("working", "t3", "t50")
    hand.time = 10.0

    assert lines_of(hand, rows=5) == [
        "🔄 root     10.0s",
        "├── 🔄 t3    5.0s",
        "├── 🔄 t9   10.0s",
        "├── 🔄 t50   5.0s",
        "└── … 97 more (97 waiting)",
        "Progress: 0/100 (0%) · 10.0s · 3 running",
    ]
    assert names(take_window(hand.tree, 8, 2, hand.time)) == ["root", "t3", "t9", "t50", "t51", "t52", "t53"]


def test_failures_leave_room_for_what_runs() -> None:
    """Dozens of failures take two thirds of the rows while something runs, and all of them when nothing does."""
    hand = flat(40)
    tasks = [f"t{number}" for number in range(40)]
    hand.move("working", "root", *tasks)
    hand.time = 2.0
    for task in tasks[:30]:
        hand.fail(task, "boom")

    assert [line.split()[1] for line in lines_of(hand, rows=9)[1:8]] == ["❌", "❌", "❌", "❌", "🔄", "🔄", "🔄"]
    hand.move("cancelled", *tasks[30:], "root")
    assert [line.split()[1] for line in lines_of(hand, rows=9)[1:8]] == ["❌"] * 7


def test_done_rows_fill_what_is_left_newest_first() -> None:
    """When nothing else wants the rows, the newest endings have them."""
    hand = flat(100)
    for number in range(60):
        hand.move("working", *(["root"] if not number else []), f"t{number}")
        hand.time += 1.0
        hand.move("done", f"t{number}")
    hand.move("cancelled", *(f"t{number}" for number in range(60, 100)))
    for number in (7, 3):
        node = hand.tree.find(f"t{number}")
        assert node is not None
        hand.tree.recent.append(node)

    rows = take_window(hand.tree, 5, 2, hand.time).rows

    assert [row.name for row in rows if isinstance(row, NodeRow)] == ["root", "t3", "t7", "t99"]


def test_only_hidden_row_is_shown_instead_of_being_counted() -> None:
    """A row that says `1 more` takes as much room as the node itself."""
    hand = flat(4)
    hand.move("working", "root", "t0")

    assert [line.strip() for line in lines_of(hand, rows=5)[:5]] == [
        "🔄 root",
        "├── 🔄 t0",
        "├── ⏳ t1",
        "├── ⏳ t2",
        "└── ⏳ t3",
    ]


def test_row_stays_for_half_a_second() -> None:
    """What has just been shown is not gone before anybody could read it, but no longer than that."""
    hand = flat(100)
    tasks = [f"t{number}" for number in range(100)]
    hand.move("working", "root", "t0", "t1")
    first = take_window(hand.tree, 4, 2, hand.time)
    hand.time = 0.3
    hand.move("done", "t0", "t1")
    hand.move("working", *tasks[2:20])
    second = take_window(hand.tree, 4, 2, hand.time, first.memory)
    hand.time = 0.6
    third = take_window(hand.tree, 4, 2, hand.time, second.memory)

    assert names(first) == names(second) == ["root", "t0", "t1"]
    assert names(third) == ["root", "t2", "t3"]


def test_depth_limits_what_opens() -> None:
    """`max_depth` closes groups; a failure below it is shown all the same."""
    hand = running_nightly()

    assert lines_of(hand, rows=10, max_depth=1)[:6] == [
        "🔄 nightly                                                     1m 12s",
        "├── ✅ extract         1,000/1,000                              12.4s",
        "├── 🔄 crawl           ━━━━━━━━━━━━━━━━━━━━╸─────  3,211/4,000  59.6s",
        "│   ├── ❌ fetch[7.html]   503 Service Unavailable              31.0s",
        "│   └── … 3,999 more (3,210 done, 16 running, 773 waiting)",
        "├── ⏳ checks          after crawl",
    ]
    assert names(take_window(hand.tree, 10, 0, hand.time)) == ["nightly", "crawl", "fetch[7.html]"]


@pytest.mark.slow
def test_failure_far_below_is_shown_with_the_ancestors_that_fit() -> None:
    """A failure at the bottom of a chain; the levels between are a number."""
    hand = chain(100_000)
    hand.move("working", *(f"n{number}" for number in range(100_000)))
    hand.fail("n99999", "boom")

    assert lines_of(hand, rows=6) == [
        "🔄 n0",
        "└── 🔄 n1              ━━━━━━━━━━━━━━━━━━━━━━━━━━  1/1",
        "    └── 🔄 n2              ━━━━━━━━━━━━━━━━━━━━━━━━━━  1/1",
        "        ├── … +99,996 levels ❌ n99999          boom         0.0s",
        "        └── … 1 more",
        "Progress: 1/1 (100%) · 0.0s · 1 failed",
    ]
    assert lines_of(hand, rows=3) == [
        "🔄 n0",
        "├── … +99,998 levels ❌ n99999          boom   0.0s",
        "└── … 1 more",
        "Progress: 1/1 (100%) · 0.0s · 1 failed",
    ]


def test_what_is_hidden_is_counted_further_up_where_rows_are_short() -> None:
    """On four rows one count must do for the page's neighbours and for the group's."""
    assert lines_of(running_nightly(), rows=4) == [
        "🔄 nightly                                                     1m 12s",
        "├── 🔄 crawl           ━━━━━━━━━━━━━━━━━━━━╸─────  3,211/4,000  59.6s",
        "│   └── ❌ fetch[7.html]   503 Service Unavailable              31.0s",
        "└── … 5,002 more (4,210 done, 16 running, 776 waiting)",
        "Progress: 4,211/5,003 (84%) · 1m 12s · ETA ~15s · 16 running, 1 failed",
    ]


def test_final_window_shows_failures_and_the_parts_of_the_whole() -> None:
    """What is left behind of a run: failures open, everything else closed."""
    hand = running_nightly()
    hand.tree.root.children[1].error = "1 of 4,000 failed"
    window = final_window(hand.tree, 60, 2, hand.time)

    assert window_lines(window, 79, hand.time, THEME)[:-1] == [
        "🔄 nightly                                                     1m 12s",
        "├── ✅ extract         1,000/1,000                              12.4s",
        "├── 🔄 crawl           ━━━━━━━━━━━━━━━━━━━━╸─────  3,211/4,000  59.6s",
        "│   ├── ❌ fetch[7.html]   503 Service Unavailable              31.0s",
        "│   └── … 3,999 more (3,210 done, 16 running, 773 waiting)",
        "├── ⏳ checks          after crawl",
        "└── ⏳ publish         after checks",
    ]


def test_columns_move_only_to_the_right() -> None:
    """What stands beside the names stays where it is when the longest name leaves the screen."""
    hand = flat(2)
    columns = Columns()
    long, short = hand.tree.root.children
    long.name = "a name of some length"
    hand.move("working", "root", "t0", "t1")
    long.progress = short.progress = (1, 4)
    before = window_lines(take_window(hand.tree, 9, 2, 2.0), 79, 2.0, THEME, columns)
    long.name = "short"
    after = window_lines(take_window(hand.tree, 9, 2, 2.0), 79, 2.0, THEME, columns)

    assert before[2] == after[2] == "└── 🔄 t1                     ━━━━━━╸───────────────────  1/4   2.0s"


@pytest.mark.parametrize(
    ("needed", "note"),
    [
        (["a"], "after a"),
        (["a", "b", "c"], "after a, b, c"),
        (["a", "b", "c", "d"], "after a, b, c and 1 more"),
        (["done"], ""),
    ],
)
def test_waiting_row_names_what_it_waits_for(needed: list[str], note: str) -> None:
    """The dependencies that have not ended."""
    root = TaskNode("root")
    for name in ("a", "b", "c", "d", "done"):
        root.add_child(TaskNode(name, task_fn=work))
    root.add_child(TaskNode("waits", task_fn=work, depends_on=needed))
    hand = HandEngine(TaskTree(root))
    hand.move("working", "root", "done")
    hand.move("done", "done")

    (row,) = [
        row for row in take_window(hand.tree, 10, 2, 0.0).rows if isinstance(row, NodeRow) and row.name == "waits"
    ]
    assert row.note == note


def test_waiting_row_says_what_it_waits_for_besides() -> None:
    """In the words of the run; dependencies that have not ended come first, by their names."""
    hand = nightly()
    hand.move("working", "nightly")
    hand.waited_for = {"extract": "limit 'api'", "checks": "'crawl'", "crawl": "a place in 'nightly', " + "x" * 1000}

    rows = [row for row in take_window(hand.tree, 10, 2, 0.0).rows if isinstance(row, NodeRow)]
    notes = {row.name: row.note for row in rows}
    assert (notes["extract"], notes["checks"], notes["publish"]) == (
        "waits for limit 'api'",
        "after crawl",
        "after checks",
    )
    assert len(notes["crawl"]) < 500


def test_frame_of_a_large_tree_takes_no_more_steps() -> None:
    """The candidates are few whatever the tree; a count of calls, since a walk would make thousands."""

    def steps(count: int) -> int:
        hand = flat(count)
        tasks = [f"t{number}" for number in range(count)]
        hand.move("working", "root", *tasks[: count // 2])
        hand.time = 1.0
        hand.move("done", *tasks[: count // 3])
        hand.fail(tasks[count // 3], "boom")
        calls = 0

        def count_call(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count_call)
        try:
            take_window(hand.tree, 10, 2, hand.time)
        finally:
            sys.setprofile(None)
        return calls

    assert steps(20_000) < 1.2 * steps(1_000)


@pytest.mark.parametrize(("rows", "height"), [(1, 0), (2, 0), (3, 1), (4, 2), (10, 5), (24, 12), (50, 25)])
def test_region_takes_at_most_half_of_the_screen(rows: int, height: int) -> None:
    """Min(rows - 2, half of the screen)."""
    assert region_height(Size(80, rows)) == height


def names(window: Window) -> list[str]:
    """The names of the rows, from the top down."""
    return [row.name for row in window.rows if isinstance(row, NodeRow)]


# -- what holds for every tree -----------------------------------------------------------------------------------------


@st.composite
def moved_trees(draw: st.DrawFn) -> HandEngine:
    """A tree of any shape in the midst of a run, more disorderly than an engine would leave it."""
    nodes = [TaskNode("n0")]
    for number in range(1, draw(st.integers(1, 60))):
        parent = nodes[draw(st.integers(max(0, number - 8), number - 1))]
        name = draw(st.sampled_from([None, "名前 🎉", "a rather long name of a node", "\x1b[2J"]))
        body = work if draw(st.booleans()) else None
        nodes.append(parent.add_child(TaskNode(f"n{number}", name, task_fn=body)))
    hand = HandEngine(TaskTree(nodes[0]))
    status = st.sampled_from(["pending", "working", "done", "failed", "timed_out", "retrying", "cancelled", "skipped"])
    for node in nodes:
        hand.time += 0.1
        wanted = draw(status)
        if wanted in {"done", "failed", "timed_out", "retrying", "cancelled"}:
            hand.move("working", node.id)
        if wanted != "pending":
            hand.move(wanted, node.id)
    return hand


@pytest.mark.slow
@given(moved_trees(), st.integers(-1, 30), st.none() | st.integers(0, 6), st.integers(0, 100), st.booleans())
def test_window_fits_and_counts_everything_once(
    hand: HandEngine, height: int, depth: int | None, width: int, folds: bool
) -> None:
    """Property: never more rows than asked for, never wider; what is shown, closed or counted is the whole.

    The same when all that is done is folded between two frames.
    """
    memory = Memory()
    folded: Folded = {}
    for seconds in (0.2, 0.2, 1.0):
        window = take_window(hand.tree, height, depth, hand.time, memory)
        memory = window.memory

        assert len(window.rows) <= max(0, height)
        assert_counts_everything(hand.tree, window, folded)
        for line in window_lines(window, width, hand.time, THEME):
            assert display_width(line) <= width
        hand.time += seconds
        if folds:
            fold_what_is_done(hand.tree, folded)


@pytest.mark.slow
@given(moved_trees(), st.none() | st.integers(0, 4))
def test_high_window_shows_all_failures_and_all_that_runs(hand: HandEngine, depth: int | None) -> None:
    """Property: where there is room, nothing that failed is hidden, whatever the depth."""
    shown = take_window(hand.tree, 1_000, depth, hand.time).memory.since

    assert set(hand.tree.failed) <= set(shown)


#: The nodes that were folded into each group.
Folded: TypeAlias = dict[TaskNode, list[TaskNode]]


def fold_what_is_done(tree: TaskTree, folded: Folded) -> None:
    """Fold every child that is done with all below it."""
    for group in reversed(list(tree.walk())):
        done = [child for child in group.children if all(node.status == "done" for node in child.walk())]
        if done:
            gone = [node for child in done for node in child.walk()]
            below = [one for node in gone for one in folded.pop(node, [])]
            folded[group] = [*folded.get(group, []), *gone, *below]
            tree.fold(group, done)


def assert_counts_everything(tree: TaskTree, window: Window, folded: Folded) -> None:
    """Add up the rows, what is in the closed groups among them, and what the other rows count."""
    if not window.rows:
        return
    shown = window.memory.since
    opened: set[TaskNode | None] = set()
    for node in shown:
        above = node.parent
        while above is not None and above not in shown:
            above = above.parent
        opened.add(above)
    total = NOTHING
    for node in shown:
        total = total.plus(of_node(node))
        if node not in opened:
            total = total.plus(recount(node.children, folded))
            total = total.plus(recount(folded.get(node, []), {}, alone=True))
    for row in window.rows:
        if isinstance(row, MoreRow):
            assert row.children > 0
            total = total.plus(row.standing)
    assert total == recount([tree.root], folded)


def recount(nodes: list[TaskNode], folded: Folded, *, alone: bool = False) -> Standing:
    """What some subtrees, or some nodes alone, add up to, node by node."""
    total = NOTHING
    for top in nodes:
        for node in [top] if alone else top.walk():
            for one in (node, *folded.get(node, [])):
                total = total.plus(of_node(one))
    return total


def test_every_status_has_a_place() -> None:
    """A node of each status counts as one node."""
    for status in TaskStatus:
        assert of_node(TaskNode("n", status=status, task_fn=work)).nodes == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1s"),
        (9.6, "10s"),
        (12, "10s"),
        (43, "45s"),
        (59.7, "55s"),
        (60, "1m"),
        (3599, "1h 00m"),
        (8000, "2h 15m"),
    ],
)
def test_what_is_estimated_is_said_roughly(seconds: float, text: str) -> None:
    """As exactly as anybody can know it."""
    assert estimate(seconds) == text


def test_many_small_tasks_say_little_of_a_slow_group() -> None:
    """Most of the work is done, but what is left goes at the pace of its own group."""
    hand = nightly()
    hand.move("working", "nightly", "extract", *(f"x{number}" for number in range(1_000)))
    hand.move("done", *(f"x{number}" for number in range(1_000)), "extract")
    hand.move("working", "crawl", *(f"p{number}" for number in range(400)))
    hand.time = 60.0
    hand.move("done", *(f"p{number}" for number in range(400)))

    assert lines_of(hand, rows=0) == ["Progress: 1,400/5,003 (27%) · 1m 00s · ETA ~9m"]


def test_colours_say_what_a_row_is() -> None:
    """Red is what failed, faint is what is there for whoever looks for it; pictures have colours of their own."""
    hand = nightly()
    hand.move("working", "nightly", "extract", "crawl", "p7", "p8", *(f"x{number}" for number in range(500)))
    hand.time = 12.0
    hand.move("done", *(f"x{number}" for number in range(500)))
    hand.fail("p7", "503")

    def marked(theme: Theme) -> list[str]:
        window = take_window(hand.tree, 7, 2, hand.time)
        text = "\n".join(window_lines(window, 60, hand.time, theme))
        for sequence, mark in MARKS.items():
            text = text.replace(sequence, mark)
        return text.split("\n")

    assert marked(COLOURED) == [
        "🔄 <bold nightly>                                             <faint 12.0s>",
        "<faint ├── >🔄 extract       <cyan ━━━━━━━━━━╸><faint ──────────>  500/1,000  <faint 12.0s>",
        "<faint ├── >🔄 crawl         <faint ───────────────────────>  1/4,000  <faint 12.0s>",
        "<faint │   ├── >❌ <red fetch[7.html]>  <red 503>                          <faint 12.0s>",
        "<faint │   ├── >🔄 fetch[8.html]                               <faint 12.0s>",
        "<faint │   └── … 3,998 more (3,998 waiting)>",
        "<faint └── … 3 more (3 waiting)>",
        "Progress: 501/5,003 (10%) · 12.0s · ETA ~2m",
    ]
    assert marked(COLOURED_ASCII)[2:4] == [
        "<faint |-- ><cyan [>] >crawl         <faint ......................>  1/4,000  <faint 12.0s>",
        "<faint |   |-- ><red [!] ><red fetch[7.html]>  <red 503>                         <faint 12.0s>",
    ]


@given(st.integers(1, 200), st.integers(1, 12), st.booleans())
def test_colours_move_nothing(width: int, rows: int, narrow: bool) -> None:
    """Property: at any size a row with colours is the bare row, and ends with none."""
    window = take_window(RUNNING.tree, rows, 2, RUNNING.time)
    bare = window_lines(window, width, RUNNING.time, ASCII if narrow else THEME)
    coloured = window_lines(window, width, RUNNING.time, COLOURED_ASCII if narrow else COLOURED)
    assert [without_colours(line) for line in coloured] == bare
    for line in coloured:
        assert line.count("\x1b[0m") * 2 == line.count("\x1b")
        assert line.rfind("\x1b") == line.rfind("\x1b[0m")
