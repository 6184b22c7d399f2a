"""What the printed API shows runs as it is printed: whole programs, fragments in the context that they leave open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import redirect_stderr
from types import SimpleNamespace
from typing import Any, TextIO

import anyio
import pytest

import treetask
from tests.printed_api.programs import Programs, run_program
from tests.printed_api.reading import completed, enclosed, keywords_of, planned
from treetask import (
    AsyncExecutor,
    LiveDisplay,
    StatusChanged,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeBuilder,
    TreeFailed,
    TreeRenderer,
    TreeTaskConfig,
)
from treetask.testing import Recorder, ScreenTerminal

pytestmark = pytest.mark.anyio

Body = Callable[[TaskNode], Awaitable[object]]


async def body(node: TaskNode) -> None:
    """A body that fragments give to their nodes."""


def node_of(tree: TaskTree, node_id: str) -> TaskNode:
    """The node of that id, which is there."""
    node = tree.find(node_id)
    assert node is not None
    return node


def body_in(names: dict[str, Any]) -> Body:
    """The only body that a program defines."""
    (found,) = (value for value in names.values() if getattr(value, "__module__", None) == "program")
    function: Body = found
    return function


class Watched(LiveDisplay):
    """A display that paints at every update and keeps what it would have printed."""

    def __init__(
        self,
        renderer: TreeRenderer | None = None,
        config: TreeTaskConfig | None = None,
        output: TextIO | None = None,
    ) -> None:
        super().__init__(renderer, config, output)
        self.texts: list[str] = []

    def update(self, tree: TaskTree, max_depth: int | None = None, force: bool = False) -> None:
        self.texts.append(self.renderer.render(tree, show_stats=True))
        super().update(tree, max_depth, force=True)


@pytest.mark.usefixtures("virtual_run")
class TestQuickStart:
    def test_ends_with_the_printed_frame(self, programs: Programs, screen: ScreenTerminal) -> None:
        """On a terminal the live rows vanish, and the whole tree stands there with all of its progress."""
        with redirect_stderr(screen):
            exec(programs.quick_start, {"__name__": "__main__"})

        assert screen.text == programs.final_frame.rstrip("\n")
        assert screen.text.endswith("Progress: 4/4 (100%)")
        assert screen.cursor_visible
        assert screen.unknown == []

    def test_ends_with_the_printed_frame_in_a_file(
        self, programs: Programs, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What is captured ends with the same frame, goes to stderr, and has no escape sequences."""
        exec(programs.quick_start, {"__name__": "__main__"})

        out, err = capsys.readouterr()
        assert out == ""
        assert err.endswith(programs.final_frame)
        assert "\x1b" not in err

    def test_shows_a_quarter_when_one_of_four_is_done(
        self, programs: Programs, screen: ScreenTerminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each body sleeps longer than the one before; the number is in the text and on the screen."""
        sleep, factors = anyio.sleep, iter(range(1, 5))

        async def sleep_longer(seconds: float) -> None:
            await sleep(seconds * next(factors))

        monkeypatch.setattr(anyio, "sleep", sleep_longer)
        monkeypatch.setattr(treetask, "LiveDisplay", Watched)
        names: dict[str, Any] = {"__name__": "__main__"}
        with redirect_stderr(screen):
            exec(programs.quick_start, names)

        display: Watched = names["display"]
        shown = [text.rsplit("\n", 1)[1] for text in display.texts]
        assert list(dict.fromkeys(shown)) == [f"Progress: {done}/4 ({done * 25}%)" for done in range(5)]
        for line in dict.fromkeys(shown):
            assert any(line in frame for frame in screen.frames)

    def test_frame_of_a_quarter(self, programs: Programs, screen: ScreenTerminal) -> None:
        """The first group half done and the second not begun: what `TreeRenderer` makes of it is as printed."""
        names: dict[str, Any] = {"__name__": "__main__"}
        with redirect_stderr(screen):
            exec(programs.quick_start, names)
        tree: TaskTree = names["tree"]
        tree.reset()
        first_group = tree.root.children[0]
        for node in (tree.root, first_group, *first_group.children):
            node.status = TaskStatus.WORKING
        first_group.children[0].status = TaskStatus.DONE

        text = TreeRenderer(names["config"]).render(tree, names["config"].default_max_depth, show_stats=True)

        assert text == programs.frame_of_a_quarter.rstrip("\n")


class TestBuilding:
    async def test_nodes_are_where_the_expression_says(self, programs: Programs) -> None:
        """Places, names and flags as an independent reading of the calls has them; and the tree runs."""
        names = await run_program(programs.building, some_task=body, work=body)
        tree: TaskTree = names["tree"]

        plan = planned(programs.building)
        assert [path for path, _ in plan] == [
            "/".join([*(above.id for above in reversed(node.get_ancestors())), node.id]) for node in tree.walk()
        ]
        for node, (_, said) in zip(tree.walk(), plan, strict=True):
            assert (node.name, node.parallel) == (said.get("name", node.id), said.get("parallel", True))
            assert node.is_leaf() == (node.task_fn is body)

    async def test_built_tree_runs(self, programs: Programs) -> None:
        """Every node of it is done in the end."""
        names = await run_program(programs.building, some_task=body, work=body)

        tree = await AsyncExecutor(names["tree"]).run()

        assert tree.get_stats()["done"] == len(tree)


class TestFunctions:
    async def test_node_is_received_and_the_result_merged(self, programs: Programs) -> None:
        """The body reads its node, sets its progress, and the dict that it returns lands in the node's data."""

        async def labelled(item: object) -> str:
            return f"<{item}>"

        names = await run_program(programs.function, process=labelled, put_on_scales=labelled)
        tree = TreeBuilder("root").add_child("a", "A", task=body_in(names), data={"item": "flour"}).build()

        await AsyncExecutor(tree).run()

        node = node_of(tree, "a")
        assert (node.status, node.progress) == ("done", (1, 1))
        assert node.data == {"item": "flour", **node.result}
        assert list(node.result.values()) == ["<flour>"]

    @pytest.mark.usefixtures("virtual_clock")
    async def test_parallel_and_sequential_groups(self, programs: Programs) -> None:
        """In the one group all children run at once, in the other one after another, in their order."""
        at_work: dict[str, int] = {}
        most: dict[str, int] = {}
        order: dict[str, list[str]] = {}

        async def step(node: TaskNode) -> None:
            assert node.parent is not None
            group = node.parent.id
            order.setdefault(group, []).append(node.id)
            at_work[group] = at_work.get(group, 0) + 1
            most[group] = max(most.get(group, 0), at_work[group])
            await anyio.sleep(1)
            at_work[group] -= 1

        names = await run_program(enclosed(programs.order), TreeBuilder=TreeBuilder, my_task=step, step=step)
        tree: TaskTree = names["tree"]
        await AsyncExecutor(tree).run()

        together, in_turn = tree.root.children
        assert (together.parallel, in_turn.parallel) == (True, False)
        assert most == {together.id: 3, in_turn.id: 1}
        for group in (together, in_turn):
            assert order[group.id] == [node.id for node in group.children]


class TestAddingInARun:
    async def test_children_run_after_the_body_that_added_them(self, programs: Programs) -> None:
        """They are in the index and in the totals at once, and the parent ends after them."""
        items = [SimpleNamespace(id=1, name="First", size=3), SimpleNamespace(id=2, name="Second", size=4)]
        seen: list[object] = []
        totals: list[int] = []

        async def listed() -> list[SimpleNamespace]:
            return items

        async def handled(node: TaskNode) -> None:
            assert node.parent is not None
            assert node.parent.result == node.parent.data
            totals.append(tree.get_progress_stats()["total"])
            seen.append(node.data["item"])

        names = await run_program(
            programs.added_in_a_run, fetch_items=listed, read_orders=listed, process_item=handled, fill_order=handled
        )
        tree = TreeBuilder("root").add_child("parent", task=body_in(names)).build()
        await AsyncExecutor(tree).run()

        parent = node_of(tree, "parent")
        assert [(node.name, node.progress, node.status) for node in parent.children] == [
            ("First", (0, 3), "done"),
            ("Second", (0, 4), "done"),
        ]
        assert all(tree.find(node.id) is node for node in parent.children)
        assert (seen, list(parent.data.values())) == (items, [2])
        assert totals == [1 + 3 + 4] * 2
        stats = tree.get_progress_stats()
        assert (stats["current"], stats["total"], parent.status) == (8, 8, "done")

    async def test_expected_total_counts_from_the_start(self, programs: Programs) -> None:
        """A child that knows how much it has to do is counted with all of it before it begins."""
        names = await run_program(programs.expected_total, TaskNode=TaskNode, my_task=body, step=body)
        child: TaskNode = names["child"]
        tree = TaskTree(TaskNode("root"))

        tree.root.add_child(child)

        assert (child.progress, child.task_fn) == ((0, 100), body)
        assert tree.get_progress_stats()["total"] == 100


class TestRetries:
    async def run(self, programs: Programs, numbers: list[float]) -> tuple[TaskNode, list[str], Exception | None]:
        """Run the body that fails by chance, with these for chances; return node, statuses and what was raised."""
        left = iter(numbers)
        names = await run_program(
            programs.retries, TreeTaskConfig=TreeTaskConfig, random=SimpleNamespace(random=lambda: next(left))
        )
        tree = TreeBuilder("root", config=names["config"]).add_child("a", task=body_in(names)).build()
        node, recorder, raised = node_of(tree, "a"), Recorder(), None
        executor = AsyncExecutor(tree)
        executor.subscribe(recorder)
        try:
            await executor.run()
        except TreeFailed as error:
            raised = error
        changes = [event for event in recorder.events if isinstance(event, StatusChanged) and event.node is node]
        return node, [event.new.value for event in changes], raised

    async def test_failures_are_repeated(self, programs: Programs) -> None:
        """Three failures, then success: `retrying` in between, and the attempts are counted."""
        node, statuses, raised = await self.run(programs, [0.1, 0.2, 0.3, 0.9])

        assert statuses == ["working", *["retrying", "working"] * 3, "done"]
        assert (node.retry_count, node.data, node.progress) == (3, {"status": "success"}, (1, 1))
        assert raised is None

    async def test_fourth_failure_is_final(self, programs: Programs) -> None:
        """`max_retries` more attempts and no further; the message stays on the node."""
        node, statuses, raised = await self.run(programs, [0.1] * 4)

        assert statuses == ["working", *["retrying", "working"] * 3, "failed"]
        assert (node.status, node.retry_count) == ("failed", 3)
        assert isinstance(raised, TreeFailed)
        assert raised.exceptions == (node.exception,)
        assert node.error is not None
        assert str(node.exception) in node.error


async def test_callbacks_are_called_for_every_node(
    programs: Programs, capsys: pytest.CaptureFixture[str], screen: ScreenTerminal
) -> None:
    """Once when it starts and once when it has ended, with its status."""
    tree = TreeBuilder("root", "Root").add_child("a", "First", task=body).add_child("b", "Second", task=body).build()
    display = LiveDisplay(output=screen)
    names = await run_program(programs.callbacks, AsyncExecutor=AsyncExecutor, tree=tree, display=display)

    assert await names["executor"].run() is tree

    lines = capsys.readouterr().out.splitlines()
    for name in ("Root", "First", "Second"):
        begun, ended = (line for line in lines if name in line)
        assert ("done" in begun, "done" in ended) == (False, True)
    assert ("Root" in lines[0], "Root" in lines[-1]) == (True, True)
    assert any("Root" in frame for frame in screen.frames)


async def test_configuration_has_what_was_said(programs: Programs) -> None:
    """Every field as it was given, signs merged over the defaults; and the renderer draws with them."""
    names = await run_program(programs.configuration, TreeTaskConfig=TreeTaskConfig)
    config: TreeTaskConfig = names["config"].validate()

    said = keywords_of(programs.configuration)
    for name, value in said.items():
        default = getattr(TreeTaskConfig(), name)
        assert getattr(config, name) == ({**default, **value} if isinstance(value, dict) else value)
    tree = TreeBuilder("root").add_child("a", task=body).add_child("b", task=body).build()
    tree.root.status = TaskStatus.WORKING
    icons, signs = config.icons, config.tree_chars
    assert TreeRenderer(config).render(tree).splitlines()[1:] == [
        f"{signs['branch']}{icons['pending']} a",
        f"{signs['last_branch']}{icons['pending']} b",
    ]


class TestDisplaying:
    def tree(self) -> TaskTree:
        """A small tree that can be run."""
        return TreeBuilder("root").add_child("a", task=body).add_child("b", task=body).build()

    async def test_final_tree_stands_and_the_cursor_is_back(self, programs: Programs, screen: ScreenTerminal) -> None:
        """As a context manager and by hand: hidden while something is shown, back whenever the lines are left."""
        names = {"config": TreeTaskConfig(), "AsyncExecutor": AsyncExecutor, "tree": self.tree()}
        source = completed(programs.displaying, "display.update(tree, force=True)")

        with redirect_stderr(screen):
            await run_program(source, LiveDisplay=LiveDisplay, TreeRenderer=TreeRenderer, **names)

        assert screen.text == "✅ root\n├── ✅ a\n└── ✅ b\n\nProgress: 2/2 (100%)"
        assert screen.cursor_visible
        assert sum("\x1b[?25l" in write for write in screen.writes) == 2

    async def test_context_hides_the_cursor_and_shows_it(self, programs: Programs, screen: ScreenTerminal) -> None:
        """On entry and on exit."""
        await run_program(programs.as_context, display=LiveDisplay(output=screen))

        written = "".join(screen.writes)
        assert written.index("\x1b[?25l") < written.index("\x1b[?25h")
        assert screen.cursor_visible
