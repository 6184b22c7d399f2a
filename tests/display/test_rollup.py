"""A group that folds what is done shows right counts, on every display."""

from __future__ import annotations

from tests.display.test_plain import Log
from tests.display.trees import HandEngine, work
from treetask.display import TreeRenderer, failure_summary
from treetask.display._rows import window_lines
from treetask.display._theme import theme_for
from treetask.display._window import Memory, final_window, take_window
from treetask.model import TaskNode, TaskTree, TreeTaskConfig

THEME = theme_for(TreeTaskConfig())


def crawl(pages: int = 1_000) -> HandEngine:
    """A root with a group of many pages that folds, and a task behind it."""
    root = TaskNode("nightly")
    group = root.add_child(TaskNode("crawl", keep_done="rollup"))
    for number in range(pages):
        group.add_child(TaskNode(f"p{number}", f"fetch[{number}]", task_fn=work))
    root.add_child(TaskNode("publish", task_fn=work))
    hand = HandEngine(TaskTree(root))
    hand.move("working", "nightly", "crawl")
    return hand


def end(hand: HandEngine, first: int, last: int, *, folds: bool = True) -> None:
    """Let pages begin and be done, and fold them."""
    ids = [f"p{number}" for number in range(first, last)]
    hand.move("working", *ids)
    hand.move("done", *ids)
    if folds:
        fold(hand, *ids)


def fold(hand: HandEngine, *ids: str) -> None:
    """Fold these pages."""
    group = hand.tree.find("crawl")
    assert group is not None
    hand.tree.fold(group, [child for child in group.children if child.id in ids])


def lines_of(hand: HandEngine, *, rows: int = 10) -> list[str]:
    """The lines of a window with that many rows."""
    return window_lines(take_window(hand.tree, rows, 2, hand.time), 79, hand.time, THEME)


def test_window_counts_what_was_folded() -> None:
    """What is left out and what is gone stand in one row; bar and last line know of all."""
    hand = crawl()
    end(hand, 0, 900)
    hand.move("working", "p900", "p901")
    hand.fail("p901", "503")
    hand.tree.recent.clear()

    assert lines_of(hand, rows=7) == [
        "🔄 nightly",
        "├── 🔄 crawl           ━━━━━━━━━━━━━━━━━━━━━━━───  901/1,000",
        "│   ├── 🔄 fetch[900]",
        "│   ├── ❌ fetch[901]      503                                 0.0s",
        "│   ├── ⏳ fetch[902]",
        "│   └── … 997 more (900 done, 97 waiting)",
        "└── ⏳ publish",
        "Progress: 901/1,001 (90%) · 0.0s · 1 running, 1 failed",
    ]


def test_row_stays_though_its_node_was_folded() -> None:
    """What was shown can be read for half a second, also when nothing of it is left in the tree."""
    hand = crawl()
    hand.move("working", "p0")
    first = take_window(hand.tree, 6, 2, 0.0)
    assert "fetch[0]" in [getattr(row, "name", None) for row in first.rows]
    hand.move("done", "p0")
    fold(hand, "p0")
    hand.tree.recent.clear()

    soon = take_window(hand.tree, 6, 2, 0.4, first.memory)
    late = take_window(hand.tree, 6, 2, 0.6, soon.memory)

    assert "✅ fetch[0]" in "\n".join(window_lines(soon, 79, 0.4, THEME))
    assert "fetch[0]" not in "\n".join(window_lines(late, 79, 0.6, THEME))


def test_row_goes_with_the_attempt_that_had_added_its_node() -> None:
    """A node that does not count any more is not shown either."""
    hand = crawl(3)
    group = hand.tree.root.children[0]
    hand.move("working", "p0")
    before = take_window(hand.tree, 9, 2, 0.0, Memory())
    hand.move("done", "p0")
    children = [group.children[0]]
    hand.tree.fold(group, children, added=children)
    assert hand.tree.folds is not None
    hand.tree.folds.forget_added(group)

    after = take_window(hand.tree, 9, 2, 0.1, before.memory)

    assert [getattr(row, "name", None) for row in after.rows] == ["nightly", "crawl", "fetch[1]", "fetch[2]", "publish"]


def test_last_endings_are_shown_though_they_were_folded() -> None:
    """Where there is room for what is done, the newest of it is shown."""
    hand = crawl(5)
    end(hand, 0, 3)
    hand.time = 2.0

    assert lines_of(hand) == [
        "🔄 nightly                                               2.0s",
        "├── 🔄 crawl           ━━━━━━━━━━━━━━━╸──────────  3/5   2.0s",
        "│   ├── ✅ fetch[0]                                      0.0s",
        "│   ├── ✅ fetch[1]                                      0.0s",
        "│   ├── ✅ fetch[2]                                      0.0s",
        "│   ├── ⏳ fetch[3]",
        "│   └── ⏳ fetch[4]",
        "└── ⏳ publish",
        "Progress: 3/6 (50%) · 2.0s · ETA ~2s",
    ]


def test_end_of_the_window_tells_the_whole() -> None:
    """The group is closed, and what failed in it is open."""
    hand = crawl()
    end(hand, 0, 999)
    hand.move("working", "p999", "publish")
    hand.fail("p999", "503")
    hand.fail("crawl", "503")
    hand.move("done", "publish")
    hand.fail("nightly", "503")

    assert window_lines(final_window(hand.tree, 10, 2, hand.time), 79, hand.time, THEME) == [
        "❌ nightly         503           0.0s",
        "├── ❌ crawl           503       0.0s",
        "│   ├── ❌ fetch[999]      503   0.0s",
        "│   └── … 999 more (999 done)",
        "└── ✅ publish                   0.0s",
        "Progress: 1,001/1,001 (100%) · 0.0s · 1 failed",
    ]


def test_printed_tree_counts_what_is_gone() -> None:
    """The final tree has a row for it, at any depth."""
    hand = crawl(5)
    end(hand, 0, 3)
    renderer = TreeRenderer()

    assert renderer.render(hand.tree, show_stats=True).splitlines() == [
        "🔄 nightly",
        "├── 🔄 crawl",
        "│   ├── ⏳ fetch[3]",
        "│   ├── ⏳ fetch[4]",
        "│   └── … 3 more (3 done)",
        "└── ⏳ publish",
        "",
        "Progress: 3/6 (50%)",
    ]
    assert renderer.render(hand.tree, max_depth=1).splitlines() == [
        "🔄 nightly",
        "├── 🔄 crawl … 5 more (3 done, 2 waiting)",
        "└── ⏳ publish",
    ]
    end(hand, 3, 5)
    assert renderer.render(hand.tree).splitlines()[1] == "├── 🔄 crawl … 5 more (5 done)"


def test_log_tells_of_the_group_as_a_whole() -> None:
    """Which of its children are looked at depends on chance, so none is told alone but those that fail."""
    hand = crawl(4)
    log = Log(hand)
    log.look()
    end(hand, 0, 1, folds=False)
    hand.time = 6.0
    end(hand, 1, 2)
    hand.move("working", "p2")
    hand.fail("p2", "503")
    assert log.look() == ["12:00:06 crawl › fetch[2]  failed in 0.0s: 503", "12:00:06 crawl  3/4 (75%)"]
    end(hand, 3, 4)
    hand.time = 7.0
    hand.move("done", "crawl")

    assert log.look() == ["12:00:07 crawl  done 4/4 in 7.0s"]


def test_summary_counts_all_nodes() -> None:
    """`failed (1 of 1,001)`, as if nothing were gone."""
    hand = crawl()
    end(hand, 0, 999)
    hand.move("working", "p999", "publish")
    hand.fail("p999", "503")
    hand.fail("crawl", "503")
    hand.move("done", "publish")
    hand.fail("nightly", "503")

    assert failure_summary(hand.tree)[0].startswith("── failed (1 of 1,001) ─")
