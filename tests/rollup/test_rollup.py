"""`keep_done="rollup"` in a run: what is folded, and when."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeAlias

import anyio
import pytest

from tests.engine.by_hand import ByHand
from tests.engine.support import AsyncBody, ended, fail, ok, statuses, turns
from tests.rollup.crawler import MANY, MOST_KEPT, crawler
from treetask import (
    JOIN,
    AsyncExecutor,
    Registry,
    Spawns,
    SyncSpawns,
    TaskFailed,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeBuilder,
    TreeTaskConfig,
)
from treetask.engine._folding import AT_ONCE
from treetask.model._tree import RECENT_ENDINGS

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


Alive: TypeAlias = Callable[[type], int]


@pytest.fixture
def alive() -> Alive:
    """How many things of a type there are that this test has made."""

    def count(kind: type) -> int:
        gc.collect()
        return sum(isinstance(thing, kind) for thing in gc.get_objects())

    # Whatever was there before is neither counted nor looked through, which would take far longer; tests/conftest.py
    # undoes it after the last test.
    gc.freeze()
    return count


class TestMany:
    async def test_are_counted_and_gone_in_the_end(self) -> None:
        """Statistics are right to the end, and nothing but the group is left."""
        tree = crawler().build()

        await AsyncExecutor(tree).run()

        assert statuses(tree) == {"nightly": "done", "nightly/crawl": "done"}
        assert (tree.get_stats()["done"], tree.get_stats()["total"]) == (MANY + 2, MANY + 2)
        assert tree.get_leaf_stats()["done"] == MANY
        progress = tree.get_progress_stats()
        assert (progress["current"], progress["total"]) == (MANY + 1, MANY + 1)
        assert tree.get_timing_stats()["max"] >= 2
        assert tree.folded_children(tree.root.children[0]) == MANY

    async def test_are_counted_all_along(self) -> None:
        """At every moment the numbers are those of all children that came, and few of them are there."""
        tree = crawler().build()
        crawl = tree.root.children[0]
        seen: list[int] = []

        def look(tree: TaskTree) -> None:
            stats = tree.subtree_stats(crawl)
            folded = tree.folded_children(crawl)
            assert stats.count == len(crawl.children) + folded
            assert stats.done == folded + sum(child.status is TaskStatus.DONE for child in crawl.children)
            seen.append(len(crawl.children))

        await AsyncExecutor(tree, on_update=look).run()

        assert max(seen) <= MOST_KEPT
        assert seen[-1] == 0

    async def test_take_bounded_memory(self, alive: Alive) -> None:
        """Nodes do not pile up anywhere, however many children there were."""
        count, most = 5_000, 0
        tree = Registry("nightly")

        @tree.task
        async def page(number: int) -> None:
            nonlocal most
            if number == count - 1:
                most = alive(TaskNode)

        @tree.group(keep_done="rollup", max_parallel=100, max_queued=100)
        async def crawl() -> Spawns[None]:
            for number in range(count):
                yield page.child(number)

        built = tree.build()
        await AsyncExecutor(built, on_update=lambda tree: None).run()

        assert built.get_stats()["done"] == count + 2
        assert most < 1_000

    @pytest.mark.parametrize("options", [{"priority": 1}, {"cost": 2.0}, {"depends_on": ["first"]}, {"max_retries": 1}])
    async def test_are_forgotten_by_all_who_kept_books_on_them(self, options: dict[str, Any], alive: Alive) -> None:
        """Ranks, dependents and attempts let go of what was folded."""
        found: list[int] = []

        async def add(node: TaskNode) -> None:
            for number in range(MANY):
                node.add_child(TaskNode(f"{number}", task_fn=work, **options))

        async def work(node: TaskNode) -> None:
            if options.get("max_retries") and not node.retry_count:
                raise OSError("once")
            await anyio.sleep(int(node.id))

        async def look(node: TaskNode) -> None:
            await anyio.sleep(MANY)
            found.append(alive(TaskNode))

        tree = (
            TreeBuilder("root")
            .add_child("first", task=ok)
            .add_child("adds", task=add, keep_done="rollup")
            .add_child("looks", task=look)
            .build()
        )
        await AsyncExecutor(tree).run()

        assert found[0] < RECENT_ENDINGS + 10
        assert tree.get_stats()["done"] == MANY + 4

    async def test_are_let_go_by_their_timeouts(self, alive: Alive) -> None:
        """A bound on children that have children themselves does not keep them until it would have passed."""
        found: list[int] = []
        tree = Registry("nightly", parallel=False)

        @tree.task
        async def page(number: int) -> None: ...

        @tree.group(static=False, timeout=1_000_000)
        async def site(number: int) -> Spawns[None]:
            yield page.child(number)

        @tree.group(keep_done="rollup", parallel=False)
        async def crawl() -> Spawns[None]:
            for number in range(MANY):
                yield site.child(number)

        @tree.task
        async def look() -> None:
            await turns()
            found.append(alive(TaskNode))

        result = await tree.run()

        assert found[0] < 2 * MOST_KEPT + 10
        assert result.stats["done"] == 2 * MANY + 3

    async def test_take_their_functions_with_them(self, alive: Alive) -> None:
        """A function that was made for one child is not kept longer than the child."""
        count = 1_000

        class Payload:
            """What a function holds."""

        def made_for(payload: Payload) -> AsyncBody:
            async def work(node: TaskNode) -> None:
                repr(payload)

            return work

        async def add(node: TaskNode) -> None:
            for number in range(count):
                node.add_child(TaskNode(f"{number}", task_fn=made_for(Payload())))

        tree = TreeBuilder("root", task_fn=add, keep_done="rollup").build()
        executor = AsyncExecutor(tree)
        await executor.run()

        assert alive(Payload) < count // 2
        assert (tree.get_stats()["done"], executor.is_cancelled) == (count + 1, False)

    async def test_come_from_a_thread_as_well(self) -> None:
        """A spawner that is a plain function hands over as many."""
        tree = Registry("nightly")

        @tree.task
        async def page(number: int) -> None: ...

        @tree.group(keep_done="rollup", max_queued=5)
        def crawl() -> SyncSpawns[int]:
            for number in range(MANY):
                yield page.child(number)
            return MANY

        result = await tree.run()

        assert result.value is None
        assert (result.stats["done"], len(result.tree)) == (MANY + 2, 2)

    async def test_of_a_sequence_go_as_well(self) -> None:
        """One after another, each seen by the body when it is done."""
        tree = Registry("nightly")
        results: list[int] = []

        @tree.task
        async def page(number: int) -> int:
            return number

        @tree.group(keep_done="rollup", parallel=False)
        async def crawl() -> Spawns[None]:
            for number in range(MANY):
                child = yield page.child(number)
                results.append(child.result)

        result = await tree.run()

        assert results == list(range(MANY))
        assert (result.stats["done"], len(result.tree)) == (MANY + 2, 2)

    async def test_that_were_there_before_go_as_well(self) -> None:
        """Children of the static tree, of a group with a body or without."""
        builder = TreeBuilder("root").add_node("group", keep_done="rollup")
        for number in range(MANY):
            builder.add_child(f"{number}", task=ok)
        tree = builder.build()

        await AsyncExecutor(tree).run()

        assert (tree.ids(), tree.get_stats()["done"]) == (["root", "group"], MANY + 2)

    async def test_of_the_root_go_before_the_run_returns(self) -> None:
        """The last ones of all, too; whoever is told of updates has seen that."""
        builder = TreeBuilder("root", keep_done="rollup")
        for number in range(10):
            builder.add_child(f"{number}", task=ok)
        tree = builder.build()
        seen: list[int] = []

        await AsyncExecutor(tree, on_update=lambda tree: seen.append(len(tree))).run()

        assert (tree.ids(), tree.get_stats()["done"], seen[-1]) == (["root"], 11, 1)


class TestParts:
    def test_of_a_wide_group_go_one_after_another(self) -> None:
        """Others get their turn between them; the children that stay keep their order."""
        count = 5 * AT_ONCE
        builder = TreeBuilder("root", keep_done="rollup", on_failure="continue", config=TreeTaskConfig(max_retries=0))
        for number in range(count):
            builder.add_child(f"{number}", task=ok)
        hand = ByHand(builder.build())
        for node_id in hand.start():
            if int(node_id) % 100:
                hand.end(node_id)
            else:
                hand.fail(node_id)

        left = [count]
        while hand.scheduler.has_to_fold:
            hand.scheduler.fold()
            left.append(len(hand.tree.root.children))

        assert max(before - after for before, after in pairwise(left)) < 2 * AT_ONCE
        assert [child.id for child in hand.tree.root.children] == [f"{number}" for number in range(0, count, 100)]
        assert (hand.tree.get_stats()["done"], hand.tree.get_stats()["failed"]) == (
            count - count // 100,
            count // 100 + 1,
        )

    async def test_have_all_gone_when_the_run_returns(self) -> None:
        """However many were left to be folded at its end."""
        builder = TreeBuilder("root", keep_done="rollup")
        for number in range(3 * AT_ONCE):
            builder.add_child(f"{number}", task=ok)
        tree = builder.build()
        seen: list[int] = []

        await AsyncExecutor(tree, on_update=lambda tree: seen.append(len(tree))).run()

        assert (tree.ids(), tree.get_stats()["done"], seen[-1]) == (["root"], 3 * AT_ONCE + 1, 1)


class TestWhatStays:
    async def test_is_what_did_not_end_well(self) -> None:
        """What failed, was cancelled or skipped has to be shown."""
        builder = TreeBuilder("root", keep_done="rollup", on_failure="continue")
        for number in range(MANY):
            builder.add_child(f"{number}", task=fail if number % 100 == 50 else ok)
        builder.add_child("skipped", task=ok, depends_on=["50"])
        builder.add_child("unwanted", task=ok, when=lambda node: False)
        tree = builder.build()

        await ended(tree)

        assert statuses(tree) == {
            "root": "failed",
            "50": "failed",
            "150": "failed",
            "250": "failed",
            "skipped": "skipped",
            "unwanted": "skipped",
        }
        assert tree.get_stats()["done"] == MANY - 3

    async def test_is_a_group_with_something_of_that_kind_below(self) -> None:
        """A child that is done although something failed in it: its body has claimed that."""
        tree = Registry("nightly")

        @tree.task(static=False)
        async def broken() -> None:
            raise OSError("broken")

        @tree.task(static=False)
        async def fine() -> None: ...

        @tree.group(static=False)
        async def site() -> Spawns[None]:
            yield fine.child()
            yield JOIN
            with pytest.raises(TaskFailed):
                await (yield broken.child())

        @tree.group(static=False)
        async def sound() -> Spawns[None]:
            yield fine.child()

        @tree.group(keep_done="rollup")
        async def crawl() -> Spawns[None]:
            yield site.child()
            yield sound.child()

        result = await tree.run()

        assert statuses(result.tree) == {
            "nightly": "done",
            "nightly/crawl": "done",
            "nightly/crawl/site": "done",
            "nightly/crawl/site/fine": "done",
            "nightly/crawl/site/broken": "failed",
        }
        assert result.stats["total"] == 7

    async def test_is_nothing_of_groups_in_groups(self) -> None:
        """Groups that fold, below groups that fold: the topmost counts them all."""
        tree = Registry("nightly")

        @tree.task
        async def page(number: int) -> None: ...

        @tree.group(static=False, keep_done="rollup")
        async def site(number: int) -> Spawns[None]:
            for each in range(80):
                yield page.child(each)

        @tree.group(keep_done="rollup")
        async def crawl() -> Spawns[None]:
            for number in range(80):
                yield site.child(number)

        result = await tree.run()

        assert len(result.tree) == 2
        assert result.stats["done"] == 2 + 80 + 80 * 80
        assert result.tree.get_leaf_stats()["done"] == 80 * 80
        assert [each.get("folded") for each in result.tree.to_dict()["nodes"]] == [None, 80 + 80 * 80]

    async def test_is_everything_where_nobody_asks_for_folding(self) -> None:
        """And no books are kept."""
        tree = TreeBuilder("root").add_child("a", task=ok).build()

        await AsyncExecutor(tree).run()

        assert (tree.ids(), tree.folds) == (["root", "a"], None)
