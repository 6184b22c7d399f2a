"""Going on with a run: what was done comes back as it was, everything else runs again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.engine.support import ended, node_of, ok, statuses
from treetask import (
    JOIN,
    AsyncExecutor,
    Child,
    Outcome,
    Registry,
    Retry,
    Secret,
    Spawns,
    TaskNode,
    TreeBuilder,
    TreeFailed,
    TreeTaskConfig,
)
from treetask.store import NewRun, RunOwnedError, RunStatus, Store, StoreError, UnknownRunError

#: The attempts that were repeated; of the last one there is only the beginning.
OVER = "select key, number, status, error from attempts where ended_at is not null order by key, number"

pytestmark = pytest.mark.anyio


class Broken(Exception):
    """What makes a run stop in the middle."""


@dataclass
class Page:
    """A result of a type of the user's own."""

    url: str
    links: tuple[str, ...]


class Odd:
    """A result that cannot be stored."""


def _no(node: TaskNode) -> bool:
    return False


class Pipeline:
    """A pipeline that is declared anew for each run, as in a new process; notes which bodies ran."""

    def __init__(self, declare: Callable[[Registry, Pipeline], None]) -> None:
        self.ran: list[str] = []
        self.broken: set[str] = set()
        self._declare = declare

    def run_of(self, name: str) -> None:
        """Note a body; raise if it is to fail."""
        self.ran.append(name)
        if name in self.broken:
            raise Broken(name)

    def declared(self) -> Registry:
        """Declare it anew."""
        tree = Registry("t")
        self._declare(tree, self)
        return tree

    async def fails_at(self, store: Store, *names: str) -> None:
        """Run it, with bodies that fail."""
        self.broken = set(names)
        executor = AsyncExecutor(self.declared().build(TreeTaskConfig(on_failure="continue")), store=store)
        await ended(executor)
        self.broken = set()
        assert store.run().status is RunStatus.FAILED

    async def resumed(self, store: Store) -> list[str]:
        """Go on with the newest run; return which bodies ran."""
        self.ran = []
        result = await self.declared().run(store=store.resume())
        assert result.success
        assert store.run().status is RunStatus.DONE
        return self.ran


async def test_static_tasks_that_are_done_come_back(store: Store) -> None:
    """With their results, of whatever type, for those that take them."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def first() -> Page:
            it.run_of("first")
            return Page("a", ("b", "c"))

        @tree.task
        async def second(page: Page = first.output) -> str:
            it.run_of("second")
            return "".join(page.links)

        @tree.task
        async def third(text: str = second.output, page: Page = first.output) -> None:
            it.run_of(f"third {text} {page}")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "second")
    assert pipeline.ran == ["first", "second"]
    assert await pipeline.resumed(store) == ["second", "third bc Page(url='a', links=('b', 'c'))"]


async def test_spawned_children_that_are_done_come_back(store: Store) -> None:
    """By key and arguments, below a body that starts from the top."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def page(n: int) -> int:
            it.run_of(f"page {n}")
            return n * n

        @tree.group
        async def crawl() -> Spawns[None]:
            pages: list[Child[int]] = [page.child(n) for n in range(4)]
            yield pages
            yield JOIN
            total = sum([await each for each in pages])
            it.run_of(f"crawl {total}")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "page 1")
    assert pipeline.ran == ["page 0", "page 1", "page 2", "page 3"]
    assert await pipeline.resumed(store) == ["page 1", "crawl 14"]


async def test_child_of_other_arguments_runs_again(store: Store) -> None:
    """A key alone is not enough: the text of 1 and "1" is the same."""
    argument: list[Any] = [1]

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def page(n: int | str | list[Any]) -> str:
            it.run_of(f"page {n!r}")
            return repr(n)

        @tree.group
        async def crawl() -> Spawns[None]:
            yield page.child(argument[0])
            yield page.child(argument).keyed("list")
            yield JOIN
            it.run_of("crawl")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "crawl")
    assert await pipeline.resumed(store) == ["crawl"]
    await pipeline.fails_at(store, "crawl")
    argument[0] = "1"
    assert await pipeline.resumed(store) == ["page '1'", "page ['1']", "crawl"]


async def test_task_of_another_version_runs_again(store: Store) -> None:
    """`version=` says that what it did before counts for nothing."""
    version = ["1"]

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task(version=version[0])
        async def first() -> None:
            it.run_of("first")

        @tree.task
        async def second() -> None:
            it.run_of("second")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "second")
    version[0] = "2"
    assert sorted(await pipeline.resumed(store)) == ["first", "second"]


async def test_child_that_changes_its_argument_comes_back(store: Store) -> None:
    """What counts is what it was given."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def batch(parts: list[int]) -> int:
            it.run_of(f"batch {parts}")
            total = 0
            while parts:
                total += parts.pop()
            return total

        @tree.group
        async def crawl() -> Spawns[None]:
            yield (one := batch.child([1, 2]).keyed("parts"))
            it.run_of(f"crawl {await one}")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "crawl 3")
    assert await pipeline.resumed(store) == ["crawl 3"]


async def test_changed_function_is_told(store: Store) -> None:
    """What it did before is kept, and its name is there for who wants to know."""
    is_changed = [False]

    def declare(tree: Registry, it: Pipeline) -> None:
        if is_changed[0]:

            @tree.task(id="first")
            async def changed() -> int:
                return 2
        else:

            @tree.task(id="first")
            async def original() -> int:
                return 1

        @tree.task
        async def second() -> None:
            it.run_of("second")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "second")
    is_changed[0] = True
    resumed = store.resume()
    await pipeline.declared().run(store=resumed)
    assert resumed.journal is not None
    assert resumed.journal.past is not None
    assert list(resumed.journal.past.changed) == ["t/first"]
    assert resumed.journal.past.adopted == 1


async def test_result_that_was_not_stored_is_made_again_if_needed(store: Store) -> None:
    """Not for those who are done, nor for those that only wait for it."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def needed() -> Odd:
            it.run_of("needed")
            return Odd()

        @tree.task
        async def ordered() -> Odd:
            it.run_of("ordered")
            return Odd()

        @tree.task
        async def taken_before() -> Odd:
            it.run_of("taken before")
            return Odd()

        @tree.task
        async def done(one: Odd = taken_before.output) -> str:
            it.run_of("done")
            return "done"

        @tree.task(depends_on=[ordered, done])
        async def last(one: Odd = needed.output) -> None:
            it.run_of("last")
            assert one is not None

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "last")
    assert await pipeline.resumed(store) == ["needed", "last"]


async def test_result_that_was_not_stored_is_made_again_for_children(store: Store) -> None:
    """A template that is spawned may take it, and so may a body that joins its static children."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def session() -> Odd:
            it.run_of("session")
            return Odd()

        @tree.task
        async def page(n: int, one: Odd = session.output) -> int:
            it.run_of(f"page {n}")
            assert one is not None
            return n

        @tree.group(depends_on=[session])
        async def crawl() -> Spawns[None]:
            yield page.child(1)
            yield page.child(2)
            joined: Any = yield JOIN
            it.run_of(f"crawl {len(joined)}")

        @crawl.task
        async def fixed() -> Odd:
            it.run_of("fixed")
            return Odd()

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "page 2")
    again = await pipeline.resumed(store)
    assert again[0] == "session"
    assert sorted(again) == ["crawl 3", "fixed", "page 2", "session"]


async def test_done_group_comes_back_with_all_below(store: Store) -> None:
    """Also what failed there and was allowed to: the group had its say."""

    def declare(tree: Registry, it: Pipeline) -> None:
        with tree.group("checks") as checks:

            @checks.task
            async def good() -> None:
                it.run_of("good")

            @checks.task(allow_failure=True)
            async def bad() -> None:
                it.run_of("bad")
                raise Broken("always")

            @checks.task(when=_no)
            async def never() -> None:
                it.run_of("never")

        @tree.task(depends_on=[checks])
        async def last() -> None:
            it.run_of("last")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "last")
    tree = pipeline.declared()
    built = tree.build()
    pipeline.ran = []
    await AsyncExecutor(built, store=store.resume()).run()
    assert pipeline.ran == ["last"]
    assert statuses(built) == {
        "t": "done",
        "t/checks": "done",
        "t/checks/good": "done",
        "t/checks/bad": "failed",
        "t/checks/never": "skipped",
        "t/last": "done",
    }
    assert node_of(built, "t/checks/bad").error == "always"


async def test_clean_up_runs_again(store: Store) -> None:
    """It has cleaned up after the run that was broken off; there is something to clean up after this one as well."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def work() -> None:
            it.run_of("work")

        @tree.task
        async def more() -> None:
            it.run_of("more")

        @tree.task(always=True)
        async def clean_up() -> None:
            it.run_of("clean up")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "more")
    assert await pipeline.resumed(store) == ["more", "clean up"]


async def test_clean_up_of_a_done_group_does_not_run_again(store: Store) -> None:
    """The group comes back whole: what is cleaned up after is over, and its own body must not run a second time."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.group
        async def database() -> None:
            it.run_of("database")

        @database.task(always=True)
        async def clean_up() -> None:
            it.run_of("clean up")

        @tree.task(depends_on=[database])
        async def last() -> None:
            it.run_of("last")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "last")
    assert pipeline.ran == ["database", "clean up", "last"]
    assert await pipeline.resumed(store) == ["last"]


async def test_clean_up_runs_again_where_its_group_does(store: Store) -> None:
    """A result that is needed and was not stored takes the group with it, and that its clean-up."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.group
        async def database() -> None:
            it.run_of("database")

        @database.task
        async def rows() -> Odd:
            it.run_of("rows")
            return Odd()

        @database.task(always=True)
        async def clean_up() -> None:
            it.run_of("clean up")

        @tree.task
        async def last(one: Odd = rows.output) -> None:
            it.run_of("last")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "last")
    assert await pipeline.resumed(store) == ["database", "rows", "clean up", "last"]


async def test_sequence_goes_on_where_it_stopped(store: Store) -> None:
    """Those that are done are passed over."""
    ran: list[str] = []

    def built(*, is_broken: bool) -> Any:  # noqa: ANN401 - a tree
        async def body(node: TaskNode) -> None:
            ran.append(node.id)
            if node.id == "c" and is_broken:
                raise Broken(node.id)

        builder = TreeBuilder("root", parallel=False, config=TreeTaskConfig(max_retries=0))
        for name in "abcd":
            builder.add_child(name, task=body)
        return builder.build()

    await ended(AsyncExecutor(built(is_broken=True), store=store))
    await AsyncExecutor(built(is_broken=False), store=store.resume()).run()
    assert ran == ["a", "b", "c", "c", "d"]


async def test_nested_spawners_go_on(store: Store) -> None:
    """Each starts from the top, and takes back what it asks for, by `spawn` and `add_child` as well."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def leaf(site: int, n: int) -> int:
            it.run_of(f"leaf {site} {n}")
            return n

        @tree.group(static=False)
        async def site(node: TaskNode, n: int) -> Spawns[None]:
            one = node.spawn(leaf, n, 1)
            yield leaf.child(n, 2)
            await one
            node.add_child(TaskNode(f"late {n}", task_fn=late))

        async def late(node: TaskNode) -> None:
            it.run_of(node.id)

        @tree.group
        async def crawl() -> Spawns[None]:
            yield site.child(1)
            yield site.child(2)

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "leaf 2 2", "late 1")
    assert sorted(await pipeline.resumed(store)) == ["late 1", "leaf 2 2"]


async def test_group_that_is_retried_takes_back_what_an_earlier_run_has_done(store: Store) -> None:
    """Adoption from the store and by a further attempt go together."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def page(n: int) -> int:
            it.run_of(f"page {n}")
            return n

        @tree.group(retry=Retry(on=Exception, attempts=2, wait_initial=0, wait_jitter=0))
        async def crawl(node: TaskNode) -> Spawns[None]:
            yield [page.child(n) for n in range(3)]
            yield JOIN
            it.run_of("crawl")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "crawl")
    assert pipeline.ran == ["page 0", "page 1", "page 2", "crawl", "crawl"]
    assert await pipeline.resumed(store) == ["crawl"]


async def test_new_run_takes_over_what_another_has_done(store: Store) -> None:
    """All of it is on record in the new one, which can be gone on with itself."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def first() -> int:
            it.run_of("first")
            return 1

        @tree.task
        async def second(n: int = first.output) -> None:
            it.run_of("second")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "second")
    first = store.run()
    pipeline.ran, pipeline.broken = [], {"second"}
    await ended(AsyncExecutor(pipeline.declared().build(), store=NewRun(store, past_of=first)))
    assert pipeline.ran == ["second"]
    pipeline.broken = set()
    assert (store.run().id, store.run().status) == (first.id + 1, RunStatus.FAILED)
    assert await pipeline.resumed(store) == ["second"]
    assert store.run(first.id).status is RunStatus.FAILED


async def test_result_that_could_not_be_stored_is_not_invented_in_another_run(store: Store) -> None:
    """A run that takes it over does not have it either: a third one makes it again for who needs it."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task
        async def make() -> Any:  # noqa: ANN401 - as of who declares nothing
            it.run_of("make")
            return Odd()

        @tree.task
        async def last() -> None:
            it.run_of("last")

        @tree.task(version=versions[-1])
        async def use(made: Odd = make.output) -> bool:
            it.run_of("use")
            return isinstance(made, Odd)

    versions = [1]
    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "last")
    pipeline.ran, pipeline.broken = [], {"last"}
    await ended(AsyncExecutor(pipeline.declared().build(), store=NewRun(store, past_of=store.run())))
    assert pipeline.ran == ["last"]
    with store.reading() as connection:
        kept = connection.rows("select is_stored, result from nodes where key = 't/make' order by run")
    assert kept == [(0, None), (0, None)]
    pipeline.ran, pipeline.broken = [], set()
    versions.append(2)
    result = await pipeline.declared().run(store=store.resume())
    assert sorted(pipeline.ran) == ["last", "make", "use"]
    assert node_of(result.tree, "t/use").result is True


async def test_finished_run_has_nothing_left_to_do(store: Store) -> None:
    """Its tree comes back whole."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    await AsyncExecutor(tree, store=store).run()
    again = TreeBuilder("root").add_child("a", task=ok).build()
    await AsyncExecutor(again, store=store.resume()).run()
    assert statuses(again) == {"root": "done", "a": "done"}


async def test_run_that_is_driven_is_refused_to_a_second_driver(store: Store, store_url: str) -> None:
    """Naming the first."""
    refused: list[str] = []

    async def resume_it(node: TaskNode) -> None:
        with Store(store_url) as second, pytest.raises(RunOwnedError) as caught:
            await AsyncExecutor(TreeBuilder("root").build(), store=second.resume()).run()
        refused.append(str(caught.value))

    tree = TreeBuilder("root").add_child("a", task=resume_it).build()
    await AsyncExecutor(tree, store=store).run()
    (said,) = refused
    owner = store.run().owner
    assert said.startswith(f"run 1 is already driven by process {owner.pid} on {owner.host} since ")


async def test_run_of_another_tree_is_refused(store: Store) -> None:
    """By the root that it has."""
    await AsyncExecutor(TreeBuilder("root").add_child("a", task=ok).build(), store=store).run()
    with pytest.raises(StoreError, match=r"^run 1 is one of 'root', not of 'other'; go on with it where it"):
        await AsyncExecutor(TreeBuilder("other").build(), store=store.resume()).run()
    assert store.run().status is RunStatus.DONE


async def test_unknown_run_is_refused(store: Store) -> None:
    """With the newest that there are."""
    with pytest.raises(UnknownRunError, match=r"has no run at all; it has none yet$"):
        store.resume()
    for _ in range(2):
        await AsyncExecutor(TreeBuilder("root").build(), store=store).run()
    with pytest.raises(UnknownRunError, match=r"has no run 7; the newest are 2, 1$"):
        store.resume(7)


async def test_prune_keeps_the_newest(store: Store) -> None:
    """All that is known of the others is gone."""
    for _ in range(4):
        await AsyncExecutor(TreeBuilder("root").add_child("a", task=ok).build(), store=store).run()
    assert store.prune(2) == [2, 1]
    assert [each.id for each in store.runs()] == [4, 3]
    with store.reading() as connection:
        assert connection.row("select count(*) from nodes") == (4,)
        assert connection.row("select count(*) from durations") == (2,)


async def test_version_of_what_is_in_a_group_counts(store: Store) -> None:
    """The group is done, but runs again around what is not done by now."""
    version = [1]

    def declare(tree: Registry, it: Pipeline) -> None:
        with tree.group("checks") as checks:

            @checks.task
            async def same() -> None:
                it.run_of("same")

            @checks.task(version=version[0])
            async def other() -> None:
                it.run_of("other")

        @tree.task(depends_on=[checks])
        async def last() -> None:
            it.run_of("last")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "last")
    version[0] = 2
    assert await pipeline.resumed(store) == ["other", "last"]


async def test_task_that_takes_another_parameter_runs_again(store: Store) -> None:
    """And what takes its result; a task is the same for the same arguments, and those of the run are among them."""

    @dataclass
    class Settings:
        env: str
        token: Secret[str]
        size: int = 1

    def declare(tree: Registry, it: Pipeline) -> None:
        settings = tree.params(Settings)

        @tree.task
        async def whole(given: Settings = settings.output) -> str:
            it.run_of(f"whole {given.env}")
            return given.env

        @tree.task
        async def load(env: str = settings.output.env, token: Secret[str] = settings.output.token) -> str:
            it.run_of(f"load {env}")
            return env

        @tree.task
        async def count(text: str = load.output) -> int:
            it.run_of(f"count {text}")
            return len(text)

        @tree.task
        async def other(size: int = settings.output.size) -> int:
            it.run_of("other")
            return size

        @tree.task
        async def page(n: int, env: str = settings.output.env) -> str:
            it.run_of(f"page {n} {env}")
            return env

        @tree.group
        async def crawl() -> Spawns[None]:
            yield page.child(1)
            yield JOIN
            it.run_of("last")

    pipeline = Pipeline(declare)
    pipeline.broken = {"last"}
    config = TreeTaskConfig(on_failure="continue")
    with pytest.raises(TreeFailed):
        await pipeline.declared().run(store=store, config=config, env="dev", token="one")
    pipeline.ran = []
    with pytest.raises(TreeFailed):
        await pipeline.declared().run(store=store.resume(), config=config, env="dev", token="another")
    assert pipeline.ran == ["last"]
    pipeline.ran, pipeline.broken = [], set()
    await pipeline.declared().run(store=store.resume(), env="live", token="one")
    assert sorted(pipeline.ran) == ["count live", "last", "load live", "page 1 live", "whole live"]


async def test_root_of_other_arguments_runs_again(store: Store) -> None:
    """A task that is run by itself takes them from the call."""
    tree = Registry("t")
    ran: list[str] = []

    @tree.task
    async def fetch(url: str) -> str:
        ran.append(url)
        return url

    await fetch.run("a", store=store)
    result = await fetch.run("b", store=store.resume())
    assert ran == ["a", "b"]
    assert result.value == "b"
    await fetch.run("b", store=store.resume())
    assert ran == ["a", "b"]


async def test_task_runs_again_after_what_it_takes_has_run_again(store: Store) -> None:
    """Of another version, or failed before: its argument is another one by now. What only waited stays done."""
    version = ["1"]

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task(version=version[0])
        async def first() -> str:
            it.run_of("first")
            return version[0]

        @tree.task(allow_failure=True)
        async def flaky() -> str:
            it.run_of("flaky")
            return "there"

        @tree.task
        async def report(text: str = first.output, more: str | None = flaky.maybe) -> str:
            it.run_of(f"report {text} {more}")
            return text

        with tree.group("around") as around:

            @around.task
            async def inside(outcome: Outcome[str] = flaky.outcome) -> str:
                it.run_of(f"inside {outcome.ok}")
                return "x"

            @around.task
            async def beside() -> None:
                it.run_of("beside")

        @tree.task(depends_on=[first])
        async def after() -> None:
            it.run_of("after")

        @tree.task(when=_no)
        async def never() -> str:
            return "never"

        @tree.task
        async def without(text: str | None = never.maybe) -> None:
            it.run_of(f"without {text}")

        @tree.task
        async def last() -> None:
            it.run_of("last")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "flaky", "last")
    assert sorted(await pipeline.resumed(store)) == ["flaky", "inside True", "last", "report 1 there"]
    await pipeline.fails_at(store, "last")
    version[0] = "2"
    assert sorted(await pipeline.resumed(store)) == ["first", "last", "report 2 there"]


async def test_task_that_was_added_to_what_is_done_runs(store: Store) -> None:
    """It is not on record, and so not done; that it was a task before that is a group by now makes no difference."""
    is_added = [False]

    def declare(tree: Registry, it: Pipeline) -> None:
        with tree.group("parts") as parts:

            @parts.task
            async def old() -> None:
                it.run_of("old")

            if is_added[0]:

                @parts.task
                async def new() -> None:
                    it.run_of("new")

        if is_added[0]:
            with tree.group("whole") as whole:

                @whole.task
                async def piece() -> None:
                    it.run_of("piece")
        else:

            @tree.task(id="whole")
            async def alone() -> None:
                it.run_of("whole")

        @tree.task
        async def last() -> None:
            it.run_of("last")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "last")
    is_added[0] = True
    assert sorted(await pipeline.resumed(store)) == ["last", "new", "piece"]


async def test_no_attempt_is_lost_from_the_record(store: Store) -> None:
    """What failed in one life is still there when the next one has done it; numbers go on."""

    def declare(tree: Registry, it: Pipeline) -> None:
        @tree.task(max_retries=1)
        async def flaky() -> None:
            it.run_of("flaky")

    pipeline = Pipeline(declare)
    await pipeline.fails_at(store, "flaky")
    pipeline.broken = {"flaky"}
    await ended(AsyncExecutor(pipeline.declared().build(), store=store.resume()))
    pipeline.broken = set()
    await pipeline.resumed(store)
    with store.reading() as connection:
        attempts = connection.rows("select number, status, error from attempts where key = 't/flaky' order by number")
        last = connection.row("select status, attempts from nodes where key = 't/flaky'")
    assert attempts == [
        (1, "retrying", "flaky"),
        (2, "failed", "flaky"),
        (3, "retrying", "flaky"),
        (4, "failed", "flaky"),
    ]
    assert last == ("done", 1)


async def test_failure_within_a_group_that_is_repeated_stays_on_record(store: Store) -> None:
    """As an attempt of the child."""
    calls: list[int] = []

    async def fails_once(node: TaskNode) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise Broken("once")

    retry = Retry(on=Exception, attempts=2, wait_initial=0, wait_jitter=0)
    tree = TreeBuilder("root").add_node("group", retry=retry).add_child("a", task=fails_once, max_retries=0).build()
    await AsyncExecutor(tree, store=store).run()
    with store.reading() as connection:
        assert connection.rows(OVER) == [
            ("a", 1, "failed", "once"),
            ("group", 1, "retrying", "'a' failed"),
        ]
