"""`keep_done="rollup"` in a run: who still gets what they need of what is folded."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import node_of, ok, turns
from tests.rollup.crawler import MANY, crawler
from tests.sentences import exactly
from treetask import (
    JOIN,
    AsyncExecutor,
    Child,
    DefinitionError,
    FinishedParentError,
    Registry,
    Spawns,
    TaskFailed,
    TaskNode,
    TaskStatus,
    TreeBuilder,
)
from treetask.model import DuplicateChildError, Event, StatusChanged

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


class TestWhoeverNeedsIt:
    async def test_holds_a_child_and_has_its_result(self) -> None:
        """A handle that the body keeps goes on giving the result, and can be awaited."""
        tree = Registry("nightly")

        @tree.task
        async def page(number: int) -> int:
            return number

        @tree.group(keep_done="rollup")
        async def crawl() -> Spawns[int]:
            first = yield page.child(0)
            for number in range(1, MANY):
                yield page.child(number)
            await turns()
            assert first.node not in result_tree
            total = first.result
            total += await first
            first.node.cancel()
            with pytest.raises(FinishedParentError):
                first.node.add_child(TaskNode("late"))
            with pytest.raises(FinishedParentError):
                first.node.spawn(page, 1)
            totals.append(total)

        totals: list[int] = []
        result_tree = tree.build()
        await AsyncExecutor(result_tree).run()

        assert totals == [0]

    async def test_awaits_each_child(self) -> None:
        """From the body or from tasks of it, whenever the child is folded."""
        tree = Registry("nightly")
        results: list[int] = []

        @tree.task
        async def page(number: int) -> int:
            await anyio.sleep(number % 7)
            return number

        @tree.group(keep_done="rollup")
        async def crawl() -> Spawns[None]:
            async def wait(child: Child[int]) -> None:
                results.append(await child)

            async with anyio.create_task_group() as tasks:
                for number in range(MANY):
                    child = yield page.child(number)
                    tasks.start_soon(wait, child)

        await tree.run()

        assert sorted(results) == list(range(MANY))

    async def test_listens_and_finds_the_node_in_the_tree(self) -> None:
        """Whoever is told of an end can still look the node up: it goes when all were told."""
        tree = crawler().build()
        ends: list[str] = []
        completed: list[str] = []

        class Observer:
            def on_event(self, event: Event) -> None:
                if isinstance(event, StatusChanged) and event.new is TaskStatus.DONE:
                    assert tree.find(event.node.id) is event.node
                    ends.append(event.node.id)

        def complete(node: TaskNode) -> None:
            assert node in tree
            completed.append(node.id)

        executor = AsyncExecutor(tree, on_node_complete=complete)
        executor.subscribe(Observer())
        await executor.run()

        assert ends == completed
        assert len(set(ends)) == MANY + 2

    async def test_depends_on_a_child_and_gets_its_result(self) -> None:
        """What another node takes stays until that one is done, be it repeated or not."""
        tree = Registry("nightly")
        attempts: list[int] = []

        with tree.group("all") as everything:

            @everything.group(keep_done="rollup")
            async def load() -> None: ...

            @load.task
            async def count() -> int:
                return 5

            @load.task
            async def other() -> int:
                return 6

            @everything.task(max_retries=1)
            async def report(number: int = count.output) -> int:
                await anyio.sleep(5)
                attempts.append(number)
                if len(attempts) == 1:
                    raise OSError("once")
                return number

        result = await tree.run()

        assert (attempts, result[report]) == ([5, 5], 5)
        assert [node.id for node in result.tree.walk() if "load" in node.id] == [
            "nightly/all/load",
            "nightly/all/load/count",
        ]
        assert result.stats["done"] == 6

    async def test_depends_on_a_sibling_that_goes_after_it(self) -> None:
        """A long chain of children, each needing the one before, is folded as it goes."""
        most = 0

        async def work(node: TaskNode) -> None:
            nonlocal most
            assert node.parent is not None
            most = max(most, len(node.parent.children))
            await anyio.sleep(1)

        async def add(node: TaskNode) -> None:
            for number in range(MANY):
                needed = [f"{number - 1}"] if number else []
                node.add_child(TaskNode(f"{number}", task_fn=work, depends_on=needed))

        tree = TreeBuilder("root", task_fn=add, keep_done="rollup").build()
        await AsyncExecutor(tree).run()

        assert (len(tree), tree.get_stats()["done"], most) == (1, MANY + 1, MANY)

    async def test_comes_late_and_depends_on_what_is_gone(self) -> None:
        """An order that is met already is no unknown task."""
        tree = TreeBuilder("root").add_node("group", keep_done="rollup").add_child("a", task=ok).up().build()

        async def add(node: TaskNode) -> None:
            await anyio.sleep(1)
            assert tree.find("a") is None
            node.add_child(TaskNode("late", task_fn=ok, depends_on=["a"]))

        tree.root.add_child(TaskNode("adds", task_fn=add))
        await AsyncExecutor(tree).run()

        assert node_of(tree, "late").status == "done"

    async def test_comes_late_for_a_result_that_is_gone(self) -> None:
        """Said where the child is yielded, with what there is to do."""
        tree = Registry("nightly", parallel=False)

        with tree.group("all", parallel=False) as everything:

            @everything.group(keep_done="rollup")
            async def load() -> None: ...

            @load.task
            async def count() -> int:
                return 5

            @everything.task(static=False)
            async def report(page: str, number: int = count.output) -> int:
                return number

            @everything.group(depends_on=[load])
            async def reports() -> Spawns[None]:
                await turns()
                message = (
                    "task 'nightly/all/reports/report[a]' takes 'number' from 'nightly/all/load/count', which is done "
                    "and whose result is gone: its group says keep_done='rollup'; hand the value over as an argument, "
                    "or let the group keep what is done"
                )
                with pytest.raises(DefinitionError, match=exactly(message)):
                    yield report.child("a")

        result = await tree.run()

        assert result.success


class TestYield:
    async def test_of_a_key_that_was_folded_is_refused(self) -> None:
        """A duplicate among siblings is named, also long after the first has gone."""
        tree = Registry("nightly")

        @tree.task
        async def page(number: int) -> None: ...

        @tree.group(keep_done="rollup")
        async def crawl() -> Spawns[None]:
            for number in range(MANY):
                yield page.child(number)
            await turns()
            with pytest.raises(
                DuplicateChildError,
                match=exactly(
                    "'nightly/crawl' already has a child 'page[0]'; spawn it once, or tell the two apart: "
                    ".child(...).keyed('...')"
                ),
            ):
                yield page.child(0)

        result = await tree.run()

        assert result.stats["done"] == MANY + 2

    async def test_of_a_join_gives_nothing(self) -> None:
        """All children are waited for; results that are kept for some of them only would be wrong for all."""
        tree = Registry("nightly")
        given: list[object] = []

        @tree.task
        async def page(number: int) -> int:
            await anyio.sleep(1)
            return number

        @tree.group(keep_done="rollup")
        async def crawl(node: TaskNode) -> Spawns[None]:
            given.append((yield (page.child(number) for number in range(3))))
            given.append((yield JOIN))
            given.append(all(child.is_done() for child in node.children))

        await tree.run()

        assert given == [None, None, True]

    async def test_hears_of_a_failure_as_ever(self) -> None:
        """A failure reaches the body, which may go on."""
        tree = Registry("nightly")

        @tree.task
        async def page(number: int) -> None:
            if number == 250:
                raise OSError("503")

        @tree.group(keep_done="rollup", on_failure="continue", max_queued=5)
        async def crawl() -> Spawns[None]:
            for number in range(MANY):
                yield page.child(number)
            with pytest.raises(TaskFailed, match=exactly("child 'nightly/crawl/page[250]' failed: 503")):
                yield JOIN

        result = await tree.run()

        assert [node.id for node in result.tree.walk()][2:] == ["nightly/crawl/page[250]"]
        assert result.stats["done"] == MANY + 1
