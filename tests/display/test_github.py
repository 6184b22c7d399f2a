"""A run in a job of GitHub Actions: groups, annotations, the summary of the step, and texts that try to be commands."""

from __future__ import annotations

import io
import re
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.display.trees import HandEngine, flat, pipeline, work
from treetask.display import failure_summary, make_display
from treetask.display._failures import distinct_failures, failed_nodes
from treetask.display._github import GitHubLog, error_commands
from treetask.display._messages import message_lines
from treetask.display._step_summary import literal, step_summary
from treetask.display._terminal import Terminal
from treetask.display._theme import theme_for
from treetask.display._workflow import command, quoted
from treetask.model import TaskNode, TaskTree, TreeTaskConfig
from treetask.text import without_colours

NOON = time.mktime((2026, 11, 22, 12, 0, 0, 0, 0, -1))
#: Commands that the runner of GitHub knows.
KNOWN = {
    "error",
    "warning",
    "notice",
    "debug",
    "group",
    "endgroup",
    "add-mask",
    "stop-commands",
    "set-output",
    "save-state",
}
#: Texts that have the signs of commands, of HTML and of Markdown more often than chance has.
HOSTILE = st.lists(
    st.sampled_from(["::", "##[", "error", "stop-commands", "endgroup", "]", "::error::x", "\n", "\r", "%0A", ",", " "])
    | st.sampled_from(
        ["<img src=x>", "</pre>", "![a](http://b.c)", "[a](b)", "**", "`", "|", "&lt;", "&#10;", "@a", "\x1b[31m"]
    )
    | st.text(max_size=5),
    max_size=8,
).map("".join)


@pytest.fixture(autouse=True)
def _in_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


def obeyed(lines: list[str]) -> list[tuple[str, str]]:
    """What the runner makes of lines: the commands that it obeys, each with what stands between the signs of it."""
    found: list[tuple[str, str]] = []
    word: str | None = None
    for line in lines:
        new = re.match(r"\s*::(?P<info>.*?)::(?P<value>.*)", line)
        old = re.search(r"##\[(?P<info>.*?)\](?P<value>.*)", line)
        match = new if new is not None and new["info"].split(" ")[0].lower() in {*KNOWN, word} else old
        if match is None:
            continue
        name = match["info"].split(" ")[0].lower()
        if word is not None:
            word = None if name == word else word
        elif name == "stop-commands":
            word = match["value"]
        elif name in KNOWN:
            found.append((name, match["info"]))
    assert word is None
    return found


class Log:
    """The log of a job, of a tree that is driven by hand from noon on."""

    def __init__(self, hand: HandEngine) -> None:
        self.hand = hand
        self.output = io.StringIO()
        theme = theme_for(TreeTaskConfig())
        self.log = GitHubLog(Terminal(self.output), theme, lambda: 7, wall=lambda: NOON + hand.time)

    def look(self) -> list[str]:
        """Let the log look at the tree and return the lines that it wrote for it."""
        start = self.output.tell()
        self.log.take(self.hand.tree, 2, self.hand.time)
        self.log.show(self.hand.time)
        return self.output.getvalue()[start:].splitlines()

    def conclude(self) -> list[str]:
        """Let the log write the end of the tree and return its lines."""
        start = self.output.tell()
        self.log.conclude(self.hand.tree, 2)
        return self.output.getvalue()[start:].splitlines()


def test_part_that_is_done_is_one_group() -> None:
    """What it was made of is folded below how it ended; nothing of it is told before."""
    hand = pipeline()
    log = Log(hand)
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    assert log.look() == ["12:00:00 My Pipeline  started: 4 tasks known, run 7"]
    hand.move("done", "task1")
    assert log.look() == []
    hand.time = 2.0
    hand.move("done", "task2", "phase1")
    assert log.look() == [
        "::group::12:00:02 Phase 1  done 2/2 in 2.0s",
        "12:00:00 Phase 1 › Task 1  done in 0.0s",
        "12:00:02 Phase 1 › Task 2  done in 2.0s",
        "::endgroup::",
    ]


def test_part_in_which_something_fails_is_told_at_once() -> None:
    """What was held back comes first, in no group: nobody opens one to look for a failure."""
    hand = pipeline()
    log = Log(hand)
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    log.look()
    hand.move("done", "task1")
    log.look()
    hand.fail("task2", "boom")
    assert log.look() == ["12:00:00 Phase 1 › Task 1  done in 0.0s", "12:00:00 Phase 1 › Task 2  failed in 0.0s: boom"]
    hand.move("failed", "phase1")
    assert log.look() == ["12:00:00 Phase 1  failed in 0.0s"]


def test_what_was_held_back_is_told_at_the_end() -> None:
    """A run that was broken off has parts that never ended; of these nothing is lost."""
    hand = pipeline()
    log = Log(hand)
    hand.move("working", "pipeline", "phase1", "task1", "task2")
    hand.move("done", "task1")
    log.look()
    assert log.conclude() == ["12:00:00 Phase 1 › Task 1  done in 0.0s"]


def test_failures_are_annotations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each distinct one beside the user's own line, as the repository has its path; at most ten."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(Path(__file__).parents[1]))
    hand = flat(14)
    hand.move("working", "root", *(f"t{number}" for number in range(14)))
    for number, node in enumerate(hand.tree.root.children):
        try:
            raise ValueError(f"{max(number - 1, 0)}: 100%\nsecond, line")
        except ValueError as error:
            node.exception = error
        hand.fail(node.id, "boom")
    line = test_failures_are_annotations.__code__.co_firstlineno + 7
    commands = [line for line in Log(hand).conclude() if line.startswith("::error")]

    assert len(commands) == 10
    assert commands[0] == (
        f"::error file=display/test_github.py,line={line},title=root › t0"
        "::ValueError: 0: 100%25%0Asecond, line%0Athe same in 1 more"
    )


def test_long_error_is_cut_in_its_annotation() -> None:
    """The box beside the code holds so much, and says where it ends."""
    hand = flat(1)
    hand.move("working", "root", "t0")
    hand.fail("t0", "x" * 3_000)
    (line,) = error_commands(distinct_failures(failed_nodes(hand.tree)), "")
    assert line.removeprefix("::error title=root › t0::") == f"{'x' * 1_999}…"


def test_file_outside_of_the_repository_is_not_named() -> None:
    """An annotation of a file that GitHub has not is shown nowhere."""
    hand = flat(1)
    hand.move("working", "root", "t0")
    hand.fail("t0", "a,b: 100%")
    failures = distinct_failures(failed_nodes(hand.tree))
    assert error_commands(failures, "/somewhere/else") == ["::error title=root › t0::a,b: 100%25"]
    assert command("error", title="a,b:c") == "::error title=a%2Cb%3Ac::"


def test_command_display_writes_for_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being told; the summary is put behind what the step has written there before."""
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    hand = flat(2, "nightly")
    hand.move("working", "nightly", "t0", "t1")
    hand.move("done", "t0", "t1", "nightly")
    output = io.StringIO()
    make_display("auto", output=output).conclude(hand.tree)

    lines = summary.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["# before", "<h3>✅ <code>nightly</code> done in 0.0s</h3>"]
    assert "<td>2</td><td>0</td>" in lines[3]
    make_display("plain", output=output).conclude(hand.tree)
    assert len(summary.read_text(encoding="utf-8").splitlines()) == len(lines)


def test_summary_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no reason to fail."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "gone" / "summary.md"))
    hand = flat(1)
    hand.move("working", "root", "t0")
    hand.move("done", "t0", "root")
    assert Log(hand).conclude() == ["12:00:00 the summary of the step cannot be written: No such file or directory"]


def test_summary_of_a_step_tells_a_run() -> None:
    """How tasks ended, groups not counted; each distinct failure once, with its log; what took longest, that first."""
    root = TaskNode("nightly")
    crawl = root.add_child(TaskNode("crawl", task_fn=work))
    for page in "abc":
        crawl.add_child(TaskNode(page, task_fn=work))
    root.add_child(TaskNode("publish", task_fn=work))
    hand = HandEngine(TaskTree(root))
    hand.move("working", "nightly", "crawl", "a", "b", "c")
    crawl.children[0].retry_count = 2
    crawl.children[0].extend_log(b"asking\n")
    hand.time = 1.0
    hand.fail("a", "503")
    hand.time = 2.0
    hand.fail("b", "503")
    hand.time = 3.0
    hand.move("done", "c")
    hand.move("failed", "crawl")
    hand.move("skipped", "publish")
    hand.move("failed", "nightly")

    assert step_summary(hand.tree, distinct_failures(failed_nodes(hand.tree))).split("\n\n") == [
        "<h3>❌ <code>nightly</code> failed in 3.0s</h3>",
        (
            "<table><tr><th>done</th><th>running</th><th>waiting</th><th>failed</th><th>cancelled</th><th>skipped</th></tr>"
            "<tr><td>1</td><td>0</td><td>0</td><td>2</td><td>0</td><td>1</td></tr></table>"
        ),
        (
            "<details><summary>❌ <code>nightly › crawl › a</code> <code>503</code>, 3 attempts, 1.0s, ×2</summary>"
            "<pre>503&#10;│ asking</pre></details>"
        ),
        (
            "<table><tr><th>slowest tasks</th><th>time</th><th>status</th></tr>"
            "<tr><td><code>nightly › crawl › c</code></td><td>3.0s</td><td>done</td></tr>"
            "<tr><td><code>nightly › crawl › b</code></td><td>2.0s</td><td>failed</td></tr>"
            "<tr><td><code>nightly › crawl › a</code></td><td>1.0s</td><td>failed</td></tr></table>"
        ),
        "",
    ]


def test_summary_of_a_step_in_which_nothing_began() -> None:
    """Nothing took any time, so nothing took longest."""
    hand = flat(1)
    hand.move("cancelled", "t0", "root")
    assert [piece[:7] for piece in step_summary(hand.tree, []).split("\n\n")] == ["<h3>🚫 <", "<table>", ""]


def test_summary_of_a_step_has_a_bound() -> None:
    """GitHub shows none that is larger than a megabyte; what does not fit is left out, piece by piece."""
    hand = failing_everywhere("<" * 5000, 30)
    failures = distinct_failures(failed_nodes(hand.tree))
    whole = step_summary(hand.tree, failures)
    assert len(whole.encode()) < 1024 * 1024
    assert whole.count("<details>") == 10
    assert "… 20 more failures" in whole
    part = step_summary(hand.tree, failures, written=900 * 1024)
    assert 0 < len(part.encode()) < 64 * 1024 < len(whole.encode())
    assert whole.startswith(part)
    assert step_summary(hand.tree, failures, written=1024 * 1024) == ""


def failing_everywhere(text: str, count: int = 2) -> HandEngine:
    """A tree in which names, errors, reasons and logs are a text, and all has ended."""
    hand = flat(count + 1)
    hand.move("working", "root", *(f"t{number}" for number in range(count)))
    for number, node in enumerate(hand.tree.root.children):
        node.name = text
        if number < count:
            hand.tree.extend_log(node, text.encode("utf-8", "backslashreplace") + b"\n")
            node.exception = ValueError(f"{number} {text}\n{text}")
            hand.fail(node.id, text)
    hand.tree.root.name = text
    hand.tree.root.children[-1].reason = text
    hand.move("skipped", f"t{count}")
    hand.move("failed", "root")
    return hand


@pytest.mark.slow
@settings(deadline=None)
@given(HOSTILE)
def test_no_text_is_a_command(text: str) -> None:
    """Property: whatever names, errors, reasons, logs and messages are, only our own commands are obeyed."""
    hand = failing_everywhere(text)
    log = Log(hand)
    lines = [*log.look(), *log.conclude()]
    lines += message_lines(failure_summary(hand.tree), io.StringIO())
    output = io.StringIO()
    display = make_display("plain", output=output)
    display.update(hand.tree, force=True)
    display.print_message(text)
    display.finalize(hand.tree)
    lines += output.getvalue().splitlines()

    names = [name for name, _ in obeyed(lines)]
    assert names == ["error"] * 2
    assert all(re.fullmatch(r"error title=[^:,]*", info) for name, info in obeyed(lines) if name == "error")
    assert "\x1b" not in "".join(lines)


def test_texts_that_act_are_what_the_runner_obeys() -> None:
    """The test above can fail: this is what it would find."""
    assert obeyed(["::error::x", "  ::group::x", "12:00:00 ##[add-mask]a", "a ::error::x", "::unknown::x"]) == [
        ("error", "error"),
        ("group", "group"),
        ("add-mask", "add-mask"),
    ]
    assert obeyed(quoted(["::error::x", "##[error]x", "::endgroup::", "::stop-commands::y"])) == []


class Reader(HTMLParser):
    """Notes down the elements of a page, and the text in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += len(attrs)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.slow
@settings(deadline=None)
@given(HOSTILE)
def test_no_text_is_markup(text: str) -> None:
    """Property: in the summary of a step no element, image or link is anybody's but ours."""
    hand = failing_everywhere(text)
    page = step_summary(hand.tree, distinct_failures(failed_nodes(hand.tree)))
    reader = Reader()
    reader.feed(page)

    assert reader.elements == {"h3", "code", "table", "tr", "th", "td", "details", "summary", "pre"}
    assert reader.attributes == 0
    # Each line is a piece of HTML from its first sign to its end, where Markdown is not read.
    assert all(re.match("<(h3|table|details)>", line) for line in page.split("\n") if line)
    bare = re.sub(r"</?(h3|code|table|tr|th|td|details|summary|pre)>|&#\d+;|, 0\.0s", "", page)
    assert not re.search(r"[<>&`*_\[\]()|@:\\]", bare)
    assert unescape(literal(text)) in "".join(reader.text)


@pytest.mark.slow
@settings(deadline=None)
@given(HOSTILE)
def test_plain_lines_have_no_sequence_but_colours(text: str) -> None:
    """Property: with colours there are ours, and without there is none; the lines are the same."""
    hand = failing_everywhere(text)
    written: list[list[str]] = []
    for color in ("always", "never"):
        output = io.StringIO()
        display = make_display("plain", output=output, color=color)
        display.update(hand.tree, force=True)
        written.append(output.getvalue().split("\n"))
    coloured, bare = written
    assert "\x1b" not in "".join(bare)
    assert set(re.findall(r"\x1b(?:\[\d+m)?", "".join(coloured))) <= {f"\x1b[{each}m" for each in (0, 1, 2, 31, 35)}
    kept = [line[9:] for line in map(without_colours, coloured) if not re.match("::", line)]
    assert kept == [line[9:] for line in bare if not re.match("::", line)]
