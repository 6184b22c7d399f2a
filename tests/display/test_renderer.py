"""A tree as text: the frames of the quick start, what opens, what is counted, very deep trees."""

from __future__ import annotations

import pytest

from tests.display.trees import chain, flat, nightly, pipeline, work
from treetask.display import TreeRenderer
from treetask.model import Retry, TaskNode, TaskTree, TreeTaskConfig


def text_of(*lines: str) -> str:
    """Lines as the renderer gives them."""
    return "\n".join(lines)


def test_running_frame_of_the_quick_start() -> None:
    """A group that has not started is one line; one of four tasks is 25 %."""
    hand = pipeline()
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    hand.move("done", "task1")

    assert TreeRenderer(TreeTaskConfig(default_max_depth=2)).render(hand.tree, max_depth=2, show_stats=True) == text_of(
        "🔄 My Pipeline",
        "├── 🔄 Phase 1",
        "│   ├── ✅ Task 1",
        "│   └── 🔄 Task 2",
        "└── ⏳ Phase 2",
        "",
        "Progress: 1/4 (25%)",
    )


def test_final_frame_of_the_quick_start() -> None:
    """Everything open, no times, no bars, the progress that the bodies set left out."""
    hand = pipeline()
    tasks = ["task1", "task2", "task3", "task4"]
    hand.move("working", "pipeline", "phase1", "phase2", *tasks)
    for task in tasks:
        node = hand.tree.find(task)
        assert node is not None
        node.progress = (1, 1)
    hand.move("done", *tasks, "phase1", "phase2", "pipeline")

    assert TreeRenderer().render(hand.tree, show_stats=True) == text_of(
        "✅ My Pipeline",
        "├── ✅ Phase 1",
        "│   ├── ✅ Task 1",
        "│   └── ✅ Task 2",
        "└── ✅ Phase 2",
        "    ├── ✅ Task 3",
        "    └── ✅ Task 4",
        "",
        "Progress: 4/4 (100%)",
    )


def test_closed_groups_count_what_they_hide() -> None:
    """`max_depth` limits what opens; a closed group says what is in it, one that has not started does not."""
    hand = nightly(pages=10)
    hand.move("working", "nightly", "extract", "crawl", "p0", "p1")
    hand.move("done", "p0")

    assert TreeRenderer().render(hand.tree, max_depth=1) == text_of(
        "🔄 nightly",
        "├── 🔄 extract … 1,000 more (1,000 waiting)",
        "├── 🔄 crawl … 10 more (1 done, 1 running, 8 waiting)",
        "├── ⏳ checks",
        "└── ⏳ publish",
    )
    assert TreeRenderer().render(hand.tree, max_depth=0) == "🔄 nightly … 1,013 more (1 done, 1 running, 1,011 waiting)"


def test_failures_are_shown_below_the_depth() -> None:
    """What failed is shown at any depth, and what is beside it is counted on a row of its own."""
    hand = nightly(pages=4)
    hand.move("working", "nightly", "crawl", "p0", "p1", "p2", "p3")
    hand.move("done", "p0", "p2")
    hand.fail("p1", "503 Service Unavailable\nand a page of HTML")
    hand.fail("p3", "")
    hand.move("failed", "crawl")

    assert TreeRenderer().render(hand.tree, max_depth=1) == text_of(
        "🔄 nightly",
        "├── ⏳ extract",
        "├── ❌ crawl",
        "│   ├── ❌ fetch[1.html]  503 Service Unavailable",
        "│   ├── ❌ fetch[3.html]",
        "│   └── … 2 more (2 done)",
        "├── ⏳ checks",
        "└── ⏳ publish",
    )


def test_group_of_failures_only_hides_nothing() -> None:
    """Where all children are shown there is nothing to count."""
    hand = flat(2)
    hand.move("working", "root", "t0", "t1")
    hand.fail("t0", "a")
    hand.fail("t1", "b")
    hand.move("failed", "root")

    assert TreeRenderer().render(hand.tree, max_depth=0) == "❌ root\n├── ❌ t0  a\n└── ❌ t1  b"


def test_groups_without_work_are_counted_by_their_children() -> None:
    """Nodes without bodies count in no progress, yet none is hidden without a word."""
    root = TaskNode("root", children=[TaskNode("a"), TaskNode("b")])
    tree = TaskTree(root)
    root.status = "working"

    assert TreeRenderer().render(tree, max_depth=0, show_stats=True) == "🔄 root … 2 more\n\nProgress: 0/0 (0%)"


def test_retries_show_the_most_that_the_node_may_have() -> None:
    """`2/7` by the node's own options, else by the config of the tree."""
    root = TaskNode("root")
    own = root.add_child(TaskNode("own", task_fn=work, max_retries=7, retry_count=2))
    root.add_child(TaskNode("all", task_fn=work, retry=Retry(on=OSError, attempts=4), retry_count=2))
    root.add_child(TaskNode("ever", task_fn=work, retry=Retry(on=OSError, attempts=None), retry_count=12))
    root.add_child(TaskNode("common", task_fn=work, retry_count=1))
    tree = TaskTree(root, TreeTaskConfig(max_retries=5))
    for node in tree.walk():
        tree.move(node, node.status.WORKING, 0.0)
    for node in root.children:
        tree.move(node, node.status.RETRYING, 0.0)

    assert TreeRenderer().render(tree) == ("🔄 root\n├── 🔁 2/7 own\n├── 🔁 2/3 all\n├── 🔁 12 ever\n└── 🔁 1/5 common")
    assert TreeRenderer().render_node_line(own) == "🔁 2/7 own"


def test_progress_under_way_is_shown_beside_the_name() -> None:
    """A body's own progress, while it works and where it has more than one step."""
    node = TaskNode("load", task_fn=work, progress=(40, 1000))
    tree = TaskTree(node)
    assert TreeRenderer().render(tree) == "⏳ load"
    node.status = "working"
    assert TreeRenderer().render(tree, show_stats=True) == "🔄 load (40/1,000)\n\nProgress: 40/1000 (4%)"


@pytest.mark.parametrize(
    ("exception", "error", "shown"),
    [
        (None, "boom", "❌ a  boom"),
        (ValueError("boom"), "boom", "❌ a  ValueError: boom"),
        (ValueError("boom"), "ValueError: boom", "❌ a  ValueError: boom"),
        (ValueError(), "", "❌ a  ValueError"),
        (None, "\x1b[2J\nsecond", r"❌ a  \x1b[2J"),
        (None, "x" * 300, f"❌ a  {'x' * 199}…"),
    ],
)
def test_failures_say_what_it_was(exception: Exception | None, error: str, shown: str) -> None:
    """The kind and the first line of what was raised, safe to be shown."""
    hand = flat(0, "a")
    hand.move("working", "a")
    hand.tree.root.exception = exception
    hand.fail("a", error)

    assert TreeRenderer().render(hand.tree) == shown


def test_reasons_of_what_never_ran_are_shown() -> None:
    """Skipped and cancelled nodes say why."""
    hand = flat(2)
    for node, reason in zip(hand.tree.root.children, ("crawl failed", "a sibling failed"), strict=True):
        node.reason = reason
    hand.move("working", "root")
    hand.move("skipped", "t0")
    hand.move("cancelled", "t1")

    assert TreeRenderer().render(hand.tree) == "🔄 root\n├── ⏩ t0  crawl failed\n└── 🚫 t1  a sibling failed"


def test_names_are_safe() -> None:
    """A name cannot move the cursor, nor draw a second node."""
    hand = flat(0, "a\n└── ✅ forged\x1b[1A")

    assert TreeRenderer().render(hand.tree) == r"⏳ a\n└── ✅ forged\x1b[1A"


def test_own_icons_and_lines_are_merged_over_the_defaults() -> None:
    """A config names only what differs; icons are made safe, too."""
    config = TreeTaskConfig(icons={"done": "OK", "working": "\x1b[33m>"}, tree_chars={"last_branch": "+-- "})
    hand = flat(3)
    hand.move("working", "root", "t0", "t1")
    hand.move("done", "t0")

    assert TreeRenderer(config).render(hand.tree) == text_of(
        r"\x1b[33m> root", "├── OK t0", r"├── \x1b[33m> t1", "+-- ⏳ t2"
    )


def test_config_of_the_tree_is_used_where_the_renderer_has_none() -> None:
    """What a tree was built with is how it looks."""
    tree = TaskTree(TaskNode("root"), TreeTaskConfig(icons={"pending": "zzz"}))

    assert TreeRenderer().render(tree) == "zzz root"
    assert TreeRenderer(TreeTaskConfig()).render(tree) == "⏳ root"
    assert TreeRenderer().render_node_line(TaskNode("alone")) == "⏳ alone"


def test_percents_are_rounded_down_and_reach_100_last() -> None:
    """299 of 300 are 99 %, and what has all its units but has not ended is not 100 %."""
    hand = flat(300)
    tasks = [f"t{number}" for number in range(300)]
    hand.move("working", "root", *tasks)
    hand.move("done", *tasks[:-1])
    assert TreeRenderer().render(hand.tree, 0, True).endswith("\n\nProgress: 299/300 (99%)")

    last = hand.tree.find("t299")
    assert last is not None
    last.progress = (1, 1)
    assert TreeRenderer().render(hand.tree, 0, show_stats=True).endswith("\n\nProgress: 300/300 (99%)")
    hand.move("done", "t299")
    assert TreeRenderer().render(hand.tree, 0, show_stats=True).endswith("\n\nProgress: 300/300 (100%)")


def test_progress_may_have_fractions() -> None:
    """Units are the body's own choice."""
    node = TaskNode("load", task_fn=work, progress=(0.5, 1.5))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    tree = TaskTree(node)
    node.status = "working"

    assert TreeRenderer().render(tree, show_stats=True) == "🔄 load (0.5/1.5)\n\nProgress: 0.5/1.5 (33%)"


@pytest.mark.slow
def test_very_deep_tree_is_rendered_without_recursion() -> None:
    """A chain of 100,000; beyond 40 levels the indentation is a number."""
    hand = chain(100_000)
    hand.move("working", *(f"n{number}" for number in range(100_000)))

    lines = TreeRenderer().render(hand.tree).split("\n")

    assert len(lines) == 100_000
    assert lines[2] == "    └── 🔄 n2"
    assert lines[40] == "    " * 39 + "└── 🔄 n40"
    assert lines[41] == "… +1 level └── 🔄 n41"
    assert lines[20_000] == "… +19,960 levels └── 🔄 n20000"


def test_failure_at_the_bottom_of_a_very_deep_tree_opens_the_way_to_it() -> None:
    """Every level above a failure is shown, however many there are."""
    hand = chain(5_000)
    hand.move("working", *(f"n{number}" for number in range(5_000)))
    hand.fail("n4999", "boom")

    lines = TreeRenderer().render(hand.tree, max_depth=2).split("\n")

    assert len(lines) == 5_000
    assert lines[-1] == "… +4,959 levels └── ❌ n4999  boom"


def test_closed_top_of_a_very_deep_tree_asks_for_no_counters_below() -> None:
    """What is below an only child is known from its parent, down from the root, whose counters are free."""
    hand = chain(1_000)
    hand.move("working", "n0", "n1", "n2")

    assert TreeRenderer().render(hand.tree, max_depth=2) == text_of(
        "🔄 n0", "└── 🔄 n1", "    └── 🔄 n2 … 1 more (1 waiting)"
    )
    assert all(node._roll is None for node in hand.tree.walk())
