"""`keep_done="rollup"` in a run that is stopped, or does something again."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from tests.engine.support import ended, sleeps, turns
from tests.rollup.crawler import MANY, MOST_KEPT, crawler
from treetask import JOIN, AsyncExecutor, Registry, Spawns, TaskNode, TreeBuilder, optional

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


class TestRetry:
    async def test_does_not_run_again_what_the_body_had_spawned(self) -> None:
        """The keys are known still, which is enough to come back to the next attempt that yields them."""
        tree = Registry("nightly")
        begun: list[int] = []

        @tree.task
        async def page(number: int) -> None:
            begun.append(number)

        @tree.group(keep_done="rollup", max_retries=1)
        async def crawl(node: TaskNode) -> Spawns[None]:
            for number in range(MANY):
                yield page.child(number)
            yield JOIN
            await turns()
            if not node.retry_count:
                assert built.folded_children(node) >= MANY - MOST_KEPT
                raise OSError("once")

        built = tree.build()
        await AsyncExecutor(built).run()

        assert begun == [*range(MANY)]
        assert (built.get_stats()["done"], built.get_stats()["total"]) == (MANY + 2, MANY + 2)

    async def test_does_not_run_again_what_was_there_before(self) -> None:
        """Children of the static tree that are done are done, folded or not."""
        begun: list[str] = []

        async def work(node: TaskNode) -> None:
            begun.append(node.id)

        async def flaky(node: TaskNode) -> None:
            assert node.parent is not None
            await anyio.sleep(1)
            if not node.parent.retry_count:
                raise OSError("once")

        builder = TreeBuilder("root").add_node("group", keep_done="rollup", max_retries=1)
        for number in range(MANY):
            builder.add_child(f"{number}", task=work)
        tree = builder.add_child("flaky", task=flaky, max_retries=0).build()
        await AsyncExecutor(tree).run()

        assert len(begun) == MANY
        assert (tree.get_stats()["done"], len(tree)) == (MANY + 3, 2)

    async def test_runs_again_what_always_runs(self) -> None:
        """A clean-up follows each attempt, with all that is below it, so it is not folded before the last one."""
        begun: list[str] = []

        async def work(node: TaskNode) -> None:
            begun.append(node.id)

        async def flaky(node: TaskNode) -> None:
            assert node.parent is not None
            if not node.parent.retry_count:
                raise OSError("once")

        tree = (
            TreeBuilder("root")
            .add_node("group", keep_done="rollup", max_retries=1, on_failure="continue")
            .add_child("flaky", task=flaky, max_retries=0)
            .add_child("slow", task=sleeps(1))
            .add_node("clean up", always=True, keep_done="rollup", depends_on=[optional("flaky")])
            .add_child("tables", task=work)
            .add_child("files", task=work)
            .build()
        )
        await AsyncExecutor(tree).run()

        assert sorted(begun) == ["files", "files", "tables", "tables"]
        assert (tree.ids(), tree.get_stats()["done"]) == (["root", "group"], 7)

    async def test_of_a_group_above_counts_anew(self) -> None:
        """A spawned group that folds, and goes with a failed attempt of the one above, takes all with it."""
        tree = Registry("nightly")

        @tree.task
        async def page(number: int) -> None: ...

        @tree.group(static=False, keep_done="rollup")
        async def site(number: int) -> Spawns[None]:
            for each in range(100):
                yield page.child(each)

        @tree.group(max_retries=1)
        async def crawl(node: TaskNode) -> Spawns[None]:
            yield site.child(1)
            yield JOIN
            await turns()
            if not node.retry_count:
                assert built.folded_children(node.children[0]) == 100
                raise OSError("once")

        built = tree.build()
        await AsyncExecutor(built).run()

        assert (built.get_stats()["done"], built.get_stats()["total"], len(built)) == (103, 103, 3)

    async def test_of_a_static_group_above_does_not_either(self) -> None:
        """A group that failed after it had folded something has it back when its parent is repeated."""
        begun: list[int] = []
        tree = Registry("nightly")

        @tree.task
        async def page(number: int) -> None:
            begun.append(number)

        @tree.group(max_retries=1)
        async def crawl() -> None: ...

        @crawl.group(keep_done="rollup")
        async def site(node: TaskNode) -> Spawns[None]:
            for each in range(100):
                yield page.child(each)
            yield JOIN
            await turns()
            assert node.parent is not None
            if not node.parent.retry_count:
                raise OSError("once")

        built = tree.build()
        await AsyncExecutor(built).run()

        assert len(begun) == 100
        assert (built.get_stats()["done"], built.get_stats()["total"]) == (103, 103)


def cancel_the_run(executor: AsyncExecutor) -> None:
    """From the outside."""
    executor.cancel("enough")


def cancel_the_root(executor: AsyncExecutor) -> None:
    """By its node."""
    executor.tree.root.cancel()


class TestStop:
    @pytest.mark.parametrize("stop", [cancel_the_run, cancel_the_root])
    async def test_leaves_right_numbers(self, stop: Callable[[AsyncExecutor], None]) -> None:
        """What was done before is folded and counted, what was not is there and says so."""
        tree = crawler().build()
        executor = AsyncExecutor(tree)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            await anyio.sleep(50)
            stop(executor)

        stats = tree.get_stats()
        crawl = tree.root.children[0]
        assert stats["done"] == tree.folded_children(crawl) > 0
        assert {child.status.value for child in crawl.children} == {"cancelled"}
        assert stats["cancelled"] == len(tree)

    async def test_of_a_group_at_its_timeout_leaves_right_numbers(self) -> None:
        """A group that ran out of time has folded what it got done."""
        tree = crawler(timeout=50).build()

        await ended(tree)

        crawl = tree.root.children[0]
        assert crawl.status == "timed_out"
        assert tree.get_stats()["done"] == tree.folded_children(crawl) > 0


async def test_a_paused_run_folds_what_was_done() -> None:
    """Starts are held back, nothing else."""
    builder = TreeBuilder("root").add_node("group", keep_done="rollup")
    for number in range(MANY):
        builder.add_child(f"{number}", task=sleeps(1))
    tree = builder.up().build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(0.5)
        executor.pause()
        await anyio.sleep(5)
        assert (len(tree), tree.get_stats()["done"]) == (2, MANY + 2)
        executor.resume()
