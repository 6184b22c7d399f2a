"""R8: `keep_done="rollup"` in a run: what is folded, when, and who still gets what they need of it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import anyio
import pytest

from tests.engine.by_hand import ByHand
from tests.engine.support import AsyncBody, ended, fail, node_of, ok, sleeps, statuses, turns
from tests.sentences import exactly
from treetask import (
    JOIN,
    AsyncExecutor,
    Child,
    DefinitionError,
    FinishedParentError,
    Registry,
    Spawns,
    SyncSpawns,
    TaskFailed,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeBuilder,
    TreeTaskConfig,
    optional,
)
from treetask.engine._folding import AT_ONCE
from treetask.model import DuplicateChildError, Event, StatusChanged
from treetask.model._tree import RECENT_ENDINGS

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

MANY = 300

MOST_KEPT = 120
"""Done children that are left of many, while few are live: as many as one batch, and what came in its last turn."""


def nodes_alive() -> int:
    """How many nodes there are in this process."""
    gc.collect()
    return sum(isinstance(thing, TaskNode) for thing in gc.get_objects())


def crawler(count: int = MANY, *, max_queued: int = 5, timeout: float | None = None) -> Registry:
    """A registry with a group that spawns many pages."""
    tree = Registry("nightly")

    @tree.task
    async def page(number: int) -> int:
        await anyio.sleep(number % 3)
        return number

    @tree.group(keep_done="rollup", max_queued=max_queued, max_parallel=3, timeout=timeout)
    async def crawl() -> Spawns[None]:
        for number in range(count):
            yield page.child(number)

    return tree


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

    @pytest.mark.slow
    async def test_take_bounded_memory(self) -> None:
        """R8: nodes do not pile up anywhere, however many children there were."""
        count, alive = 20_000, 0
        tree = Registry("nightly")

        @tree.task
        async def page(number: int) -> None:
            nonlocal alive
            if number == count - 1:
                alive = nodes_alive()

        @tree.group(keep_done="rollup", max_parallel=100, max_queued=100)
        async def crawl() -> Spawns[None]:
            for number in range(count):
                yield page.child(number)

        before = nodes_alive()
        built = tree.build()
        await AsyncExecutor(built, on_update=lambda tree: None).run()

        assert built.get_stats()["done"] == count + 2
        assert alive - before < 2_000

    @pytest.mark.parametrize("options", [{"priority": 1}, {"cost": 2.0}, {"depends_on": ["first"]}, {"max_retries": 1}])
    async def test_are_forgotten_by_all_who_kept_books_on_them(self, options: dict[str, Any]) -> None:
        """Ranks, dependents and attempts let go of what was folded."""
        alive: list[int] = []

        async def add(node: TaskNode) -> None:
            for number in range(MANY):
                node.add_child(TaskNode(f"{number}", task_fn=work, **options))

        async def work(node: TaskNode) -> None:
            if options.get("max_retries") and not node.retry_count:
                raise OSError("once")
            await anyio.sleep(int(node.id))

        async def look(node: TaskNode) -> None:
            await anyio.sleep(MANY)
            alive.append(nodes_alive())

        before = nodes_alive()
        tree = (
            TreeBuilder("root")
            .add_child("first", task=ok)
            .add_child("adds", task=add, keep_done="rollup")
            .add_child("looks", task=look)
            .build()
        )
        await AsyncExecutor(tree).run()

        assert alive[0] - before < RECENT_ENDINGS + 10
        assert tree.get_stats()["done"] == MANY + 4

    async def test_are_let_go_by_their_timeouts(self) -> None:
        """R36: a bound on children that have children themselves does not keep them until it would have passed."""
        alive: list[int] = []
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
            alive.append(nodes_alive())

        before = nodes_alive()
        result = await tree.run()

        assert alive[0] - before < 2 * MOST_KEPT + 10
        assert result.stats["done"] == 2 * MANY + 3

    async def test_take_their_functions_with_them(self) -> None:
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

        gc.collect()
        assert sum(isinstance(thing, Payload) for thing in gc.get_objects()) < count // 2
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
        """R46: others get their turn between them; the children that stay keep their order."""
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
        """R8: and no books are kept."""
        tree = TreeBuilder("root").add_child("a", task=ok).build()

        await AsyncExecutor(tree).run()

        assert (tree.ids(), tree.folds) == (["root", "a"], None)


class TestWhoeverNeedsIt:
    async def test_holds_a_child_and_has_its_result(self) -> None:
        """R20: a handle that the body keeps goes on giving the result, and can be awaited."""
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
        """R14: what another node takes stays until that one is done, be it repeated or not."""
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
        """R15: said where the child is yielded, with what there is to do."""
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
        """R25: a duplicate among siblings is named, also long after the first has gone."""
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
        """R21: a failure reaches the body, which may go on."""
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


class TestRetry:
    async def test_runs_again_what_the_body_had_added(self) -> None:
        """R35: their results are gone, so that the next attempt could not have them; what it yields runs."""
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

        assert begun == [*range(MANY)] * 2
        assert (built.get_stats()["done"], built.get_stats()["total"]) == (MANY + 2, MANY + 2)

    async def test_does_not_run_again_what_was_there_before(self) -> None:
        """R35: children of the static tree that are done are done, folded or not."""
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
        """R33: a clean-up follows each attempt, with all that is below it, so it is not folded before the last one."""
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

    async def test_of_a_static_group_above_counts_anew(self) -> None:
        """A group that failed after it had folded something forgets that when its parent is repeated."""
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

        assert len(begun) == 200
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
        """R36: a group that ran out of time has folded what it got done."""
        tree = crawler(timeout=50).build()

        await ended(tree)

        crawl = tree.root.children[0]
        assert crawl.status == "timed_out"
        assert tree.get_stats()["done"] == tree.folded_children(crawl) > 0


async def test_a_paused_run_folds_what_was_done() -> None:
    """R37: starts are held back, nothing else."""
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
