"""The end of a run that went wrong, as text. Trees are brought to their ends by hand; nothing runs here."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from treetask.display._summary import failure_summary, node_path
from treetask.display._theme import theme_for
from treetask.model import TaskNode, TaskStatus, TaskTree, TreeTaskConfig
from treetask.text import without_colours

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

HERE = Path(__file__)


def raised(body: Callable[[], object]) -> BaseException:
    """What a body raises, with its traceback."""
    try:
        body()  # calls
    except Exception as error:  # noqa: BLE001 - the test's subject
        return error
    raise AssertionError("the body did not raise")


def end(node: TaskNode, status: TaskStatus, *, exception: BaseException | None = None, seconds: float = 1.0) -> None:
    """Bring a node to its end through the door, as an engine would."""
    tree = node._tree
    assert tree is not None
    if status is not TaskStatus.SKIPPED:
        tree.move(node, TaskStatus.WORKING, 0.0)
    node.exception = exception
    node.error = None if exception is None else str(exception)
    tree.move(node, status, seconds)


def tree_of(*children: str) -> tuple[TaskTree, list[TaskNode]]:
    """A root named nightly with a group named crawl, and leaves in it."""
    root = TaskNode("nightly")
    crawl = root.add_child(TaskNode("crawl"))
    leaves = [crawl.add_child(TaskNode(name)) for name in children]
    return TaskTree(root), leaves


def fail_all_above(tree: TaskTree) -> None:
    """End the groups as the failure of a child does."""
    for node in reversed(list(tree.walk())):
        if node.children:
            end(node, TaskStatus.FAILED)


def line_of(text: str) -> int:
    """The number of the one line in this file that ends with a mark."""
    lines = HERE.read_text(encoding="utf-8").splitlines()
    (found,) = [number for number, line in enumerate(lines, 1) if line.endswith(f"# {text}")]
    return found


def here(text: str) -> str:
    """How a frame names a marked line of this file."""
    return f"{HERE.relative_to(Path.cwd())}:{line_of(text)}"


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are shown from the current folder."""
    monkeypatch.chdir(HERE.parents[2])


def test_failure_is_told_with_path_attempts_time_frames_and_exception() -> None:
    """Everything that one needs to find the place, and no frame that is not the user's own."""
    tree, (first, second) = tree_of("fetch[7]", "fetch[8]")

    def fetch() -> None:
        raise ValueError("503 Service Unavailable")  # raises

    first.retry_count = 2
    end(first, TaskStatus.FAILED, exception=raised(fetch), seconds=31.0)
    end(second, TaskStatus.DONE)
    fail_all_above(tree)

    assert failure_summary(tree, width=40) == [
        "── failed (1 of 2) ─────────────────────",
        "nightly › crawl › fetch[7]  3 attempts, 31.0s",
        f"  {here('calls')} in raised",
        "    body()  # calls",
        f"  {here('raises')} in fetch",
        '    raise ValueError("503 Service Unavailable")  # raises',
        "  ValueError: 503 Service Unavailable",
    ]


def test_colours_move_nothing() -> None:
    """With colours the summary is the same text; on an output of ASCII it has other signs."""
    tree, (a, b) = tree_of("a", "b")
    end(a, TaskStatus.FAILED, exception=raised(lambda: int("x")))
    tree.extend_log(a, b"connecting\n")
    end(b, TaskStatus.SKIPPED)
    fail_all_above(tree)
    bare = failure_summary(tree)
    coloured = failure_summary(tree, theme=theme_for(TreeTaskConfig(), has_colours=True))

    assert [without_colours(line) for line in coloured] == bare
    assert coloured[1] == "\x1b[1mnightly › crawl › a\x1b[0m  \x1b[2m1.0s\x1b[0m"
    assert "\x1b[31m  ValueError: invalid literal for int() with base 10: 'x'\x1b[0m" in coloured
    assert "  | connecting" in failure_summary(tree, theme=theme_for(TreeTaskConfig(), has_pictures=False))


def test_equal_failures_are_counted() -> None:
    """The second and third of a kind are names in a row."""
    tree, leaves = tree_of("a", "b", "c", "d")

    def body() -> None:
        raise OSError("gone")

    for leaf in leaves[:3]:
        end(leaf, TaskStatus.FAILED, exception=raised(body))
    end(leaves[3], TaskStatus.FAILED, exception=raised(lambda: int("x")))
    fail_all_above(tree)

    lines = failure_summary(tree)

    assert lines[0].startswith("── failed (4 of 4) ─")
    assert [line for line in lines if not line.startswith("  ") and "─" not in line] == [
        "nightly › crawl › a  1.0s",
        "the same OSError ×2: b, c",
        "nightly › crawl › d  1.0s",
    ]


def test_names_in_a_row_are_limited() -> None:
    """A thousand equal failures are one line."""
    tree, leaves = tree_of(*(f"w{number}" for number in range(1_000)))
    for leaf in leaves:
        end(leaf, TaskStatus.TIMED_OUT)
    fail_all_above(tree)

    assert failure_summary(tree)[1:] == [
        "nightly › crawl › w0  1.0s",
        "  timed out",
        "the same timed out ×999: w1, w2, w3, w4, w5, w6, … 993 more",
    ]


def test_distinct_failures_are_limited_and_the_rest_is_counted() -> None:
    """Ten are told, the eleventh and twelfth are named."""
    tree, leaves = tree_of(*(f"w{number}" for number in range(12)))
    for number, leaf in enumerate(leaves):
        end(leaf, TaskStatus.FAILED, exception=ValueError(f"bad {number}"))
    fail_all_above(tree)

    lines = failure_summary(tree)

    assert [line for line in lines if line.startswith("nightly")] == [
        f"nightly › crawl › w{n}  1.0s" for n in range(10)
    ]
    assert lines[-1] == "… 2 more failures: w10, w11"


def test_what_was_skipped_or_cancelled_is_counted_by_its_reason() -> None:
    """Who did not run, and because of whom; what is below a skipped group goes without saying."""
    root = TaskNode("nightly", parallel=False)
    crawl, checks, publish, notify = [
        root.add_child(TaskNode(name)) for name in ("crawl", "checks", "publish", "notify")
    ]
    inner = checks.add_child(TaskNode("links"))
    tree = TaskTree(root)
    end(crawl, TaskStatus.FAILED, exception=ValueError("x"))
    for node in (inner, checks, publish):
        node.reason = "crawl failed"
        end(node, TaskStatus.SKIPPED)
    end(notify, TaskStatus.CANCELLED)
    end(root, TaskStatus.FAILED)

    assert failure_summary(tree)[-3:] == [
        "",
        "2 skipped because crawl failed: checks, publish",
        "1 cancelled: notify",
    ]


def test_run_that_was_cancelled_has_nothing_to_explain() -> None:
    """The row of the root says why; everything below it is cancelled as well."""
    tree, (leaf,) = tree_of("a")
    for node in (leaf, tree.root.children[0], tree.root):
        node.reason = "interrupted by SIGINT"
        end(node, TaskStatus.CANCELLED)

    assert failure_summary(tree) == []


def test_run_that_went_well_has_no_summary() -> None:
    """Nothing to say about success, nor about a failure that its parent handled."""
    tree, (leaf,) = tree_of("a")
    end(leaf, TaskStatus.FAILED, exception=ValueError("handled"))
    for node in (tree.root.children[0], tree.root):
        end(node, TaskStatus.DONE)

    assert failure_summary(tree) == []


def test_group_of_exceptions_is_told_one_by_one() -> None:
    """A body's own group is flattened."""
    tree, (leaf,) = tree_of("a")
    inner = ExceptionGroup("inner", [KeyError("k")])
    end(leaf, TaskStatus.FAILED, exception=ExceptionGroup("outer", [ValueError("v"), inner]))
    fail_all_above(tree)

    assert failure_summary(tree)[1:] == [
        "nightly › crawl › a  1.0s",
        "  ValueError: v",
        "nightly › crawl › a  1.0s",
        "  KeyError: 'k'",
    ]


def test_last_lines_of_the_log_are_told() -> None:
    """Ten of them, without colours, and with everything else in them visible; equal failures have one log."""
    tree, (first, second) = tree_of("a", "b")
    for leaf in (first, second):
        tree.extend_log(leaf, b"".join(b"\x1b[31mline %d\x1b[0m\n" % number for number in range(12)))
        end(leaf, TaskStatus.FAILED, exception=ValueError("x"))
    tree.extend_log(first, b"\x1b[2J" + b"y" * 600 + b"\n")
    fail_all_above(tree)

    assert failure_summary(tree)[2:] == [
        "  ValueError: x",
        *(f"  │ line {number}" for number in range(3, 12)),
        "  │ \\x1b[2J" + "y" * 492 + "…",
        "the same ValueError: b",
    ]


def test_log_of_several_failures_of_a_node_is_told_once() -> None:
    """It is the node's, whatever it raised."""
    tree, (leaf,) = tree_of("a")
    tree.extend_log(leaf, b"one\n")
    end(leaf, TaskStatus.FAILED, exception=ExceptionGroup("both", [ValueError("v"), KeyError("k")]))
    fail_all_above(tree)

    assert failure_summary(tree)[1:] == [
        "nightly › crawl › a  1.0s",
        "  ValueError: v",
        "  │ one",
        "nightly › crawl › a  1.0s",
        "  KeyError: 'k'",
    ]


def test_log_of_what_timed_out_is_told() -> None:
    """What it said before its time was up is all that is known."""
    tree, (leaf,) = tree_of("a")
    tree.extend_log(leaf, b"connecting\n")
    end(leaf, TaskStatus.TIMED_OUT)
    fail_all_above(tree)

    assert failure_summary(tree)[1:] == ["nightly › crawl › a  1.0s", "  timed out", "  │ connecting"]


def test_run_that_took_too_long_is_no_failure_of_its_root() -> None:
    """The caller says that the run timed out; the tasks that it cut off say the same."""
    tree, (leaf,) = tree_of("a")
    for node in (leaf, tree.root.children[0]):
        node.reason = "the run timed out after 1 s"
        end(node, TaskStatus.CANCELLED)
    end(tree.root, TaskStatus.TIMED_OUT)

    assert failure_summary(tree) == ["1 cancelled because the run timed out after 1 s: crawl"]


def test_cause_is_named_with_its_place() -> None:
    """What an exception was raised from is often what has to be mended."""
    tree, (leaf,) = tree_of("a")

    def body() -> None:
        try:
            raise KeyError("url")  # cause
        except KeyError as error:
            raise RuntimeError("no configuration") from error

    end(leaf, TaskStatus.FAILED, exception=raised(body))
    fail_all_above(tree)

    assert failure_summary(tree)[-2:] == [
        "  RuntimeError: no configuration",
        f"  caused by KeyError: 'url' ({here('cause')})",
    ]


def test_frames_of_libraries_are_left_out() -> None:
    """What the user can mend is the call, not the inside of the library."""
    tree, (leaf,) = tree_of("a")
    end(leaf, TaskStatus.FAILED, exception=raised(lambda: json.loads("{")))
    fail_all_above(tree)

    lines = failure_summary(tree)

    assert not any("decoder.py" in line for line in lines)
    assert re.fullmatch(r"  tests.display.test_summary\.py:\d+ in <lambda>", lines[-3])
    assert lines[-1] == "  JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"


def test_deep_recursion_shows_its_last_frames() -> None:
    """A thousand equal frames bury the one that matters."""
    tree, (leaf,) = tree_of("a")

    def down(levels: int) -> None:
        if not levels:
            raise ValueError("deep")
        down(levels - 1)

    end(leaf, TaskStatus.FAILED, exception=raised(lambda: down(50)))
    fail_all_above(tree)

    lines = failure_summary(tree)

    assert lines[2] == "  … 47 more frames above"
    assert len(lines) == 3 + 6 * 2 + 1


def test_long_message_is_cut() -> None:
    """An error page of a server does not push everything else off the screen."""
    tree, (leaf,) = tree_of("a")
    end(leaf, TaskStatus.FAILED, exception=ValueError("\n".join(f"line {n}" for n in range(20))))
    fail_all_above(tree)

    assert failure_summary(tree)[2:] == [
        "  ValueError: line 0",
        *(f"  line {n}" for n in range(1, 8)),
        "  … 12 more lines",
    ]


def test_hostile_text_is_shown_visibly() -> None:
    """A name or a message cannot send the terminal a command."""
    tree, (leaf,) = tree_of("a\x1b[2Jb")
    end(leaf, TaskStatus.FAILED, exception=ValueError("x\x1b]0;title\x07\r\u202ey"))
    fail_all_above(tree)

    text = "\n".join(failure_summary(tree))

    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_message_that_cannot_be_made_is_told_as_such() -> None:
    """A broken `__str__` of the user's exception costs the message, not the summary."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    tree, (leaf,) = tree_of("a")
    end(leaf, TaskStatus.FAILED)
    leaf.exception = Broken()
    fail_all_above(tree)

    kind = Broken.__qualname__
    assert failure_summary(tree)[2:] == [f"  {kind}: (its message cannot be shown: __str__ raised ZeroDivisionError)"]


def test_path_of_a_deep_node_counts_its_middle() -> None:
    """A hundred thousand levels are one line."""
    node = TaskNode("0")
    for level in range(1, 100_001):
        node = node.add_child(TaskNode(str(level))) if level < 3 else _below(node, str(level))

    assert node_path(node) == "0 › … 99,995 levels › 99996 › 99997 › 99998 › 99999 › 100000"


def _below(parent: TaskNode, name: str) -> TaskNode:
    """A child linked without the check for circles, which walks up to the root each time."""
    child = TaskNode(name)
    parent.adopt(child)
    return child


@pytest.mark.slow
def test_ten_thousand_failures_are_a_screenful() -> None:
    """Ten are told, each with all that meet it again; nobody reads, or waits for, ten thousand."""
    tree, leaves = tree_of(*(f"t{number}" for number in range(10_000)))
    for number, leaf in enumerate(leaves):
        kinds = [ValueError(f"row {number % 20}"), ExceptionGroup("inner", [OSError("503")])]
        end(leaf, TaskStatus.FAILED, exception=ExceptionGroup("both", kinds))
    fail_all_above(tree)
    lines = failure_summary(tree)

    assert lines[0].startswith("── failed (10,000 of 10,000) ─")
    assert lines[1:4] == [
        "nightly › crawl › t0  1.0s",
        "  ValueError: row 0",
        "the same ValueError ×499: t20, t40, t60, t80, t100, t120, … 493 more",
    ]
    assert lines[5:7] == ["  OSError: 503", "the same OSError ×9,999: t1, t2, t3, t4, t5, t6, … 9,993 more"]
    assert lines[-1] == "… 5,500 more failures: t9, t29, t49, t69, t89, t109, … 5,494 more"
    assert len(lines) == 32
