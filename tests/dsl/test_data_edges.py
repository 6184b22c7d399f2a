"""Data that flows by handle: results, what is left of those that failed, and conditions that look at them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.dsl.sentences import at, exactly
from treetask import (
    JOIN,
    DefinitionError,
    DependencyCycleError,
    MisplacedDependencyError,
    NoResultError,
    Outcome,
    Registry,
    Return,
    Spawns,
    TaskFailed,
    TaskNode,
    TreeFailed,
)

pytestmark = pytest.mark.anyio


@dataclass
class Page:
    """What a task may return."""

    words: int
    links: tuple[str, ...] = ()


async def test_maybe_is_the_result_of_what_ended_well() -> None:
    """As `.output` is."""
    tree = Registry("t")

    @tree.task
    async def load() -> int:
        return 3

    @tree.task
    async def show(number: int | None = load.maybe) -> str:
        return f"{number}"

    assert (await tree.run())[show] == "3"


@pytest.mark.parametrize("way", ["failed", "skipped"])
async def test_maybe_is_none_and_outcome_says_why_where_it_did_not_end_well(way: str) -> None:
    """They relax the edge, not the policy of the group; so the failure is allowed here."""
    tree = Registry("t")
    error = OSError("no disk")

    @tree.task(allow_failure=True, when=lambda: way == "failed")
    async def load() -> int:
        raise error

    @tree.task
    async def show(number: int | None = load.maybe, out: Outcome[int] = load.outcome) -> Outcome[int]:
        assert number is None
        return out

    out = (await tree.run())[show]

    assert (out.ok, out.status) == (False, way)
    if way == "failed":
        assert out.error is error
        with pytest.raises(OSError, match=exactly("no disk")):
            _ = out.value
    else:
        assert isinstance(out.error, NoResultError)
        assert str(out.error) == "'t/load' has no result: it is skipped (its condition was false)"
        with pytest.raises(NoResultError):
            _ = out.value


async def test_outcome_of_what_ended_well() -> None:
    """It has the value, and no error."""
    tree = Registry("t")

    @tree.task
    async def load() -> int:
        return 3

    @tree.task(always=True)
    async def tell(out: Outcome[int] = load.outcome) -> tuple[bool, int, object, str]:
        return out.ok, out.value, out.error, repr(out)

    assert (await tree.run())[tell] == (True, 3, None, "<Outcome done: 3>")


async def test_failure_that_is_looked_at_still_fails_the_group() -> None:
    """Who takes `.outcome` is no excuse."""
    tree = Registry("t", on_failure="continue")

    @tree.task
    async def load() -> int:
        raise OSError("no disk")

    @tree.task
    async def tell(out: Outcome[int] = load.outcome) -> str:
        return str(out.error)

    with pytest.raises(TreeFailed) as caught:
        await tree.run()

    assert caught.value.result[tell] == "no disk"


async def test_attribute_of_a_result() -> None:
    """However deep; it is read when the other task has ended."""
    tree = Registry("t")

    @tree.task
    async def load() -> Page:
        return Page(3, ("a", "b"))

    @tree.task
    async def show(words: int = load.output.words, ok: bool = load.outcome.ok) -> tuple[int, bool]:
        return words, ok

    assert (await tree.run())[show] == (3, True)


async def test_attribute_that_a_result_has_not_fails_the_task() -> None:
    """By Python's own word."""
    tree = Registry("t")

    @tree.task
    async def load() -> Any:  # noqa: ANN401 - what it is comes out when it runs
        return 3

    @tree.task
    async def show(words: int = load.output.words) -> int:
        return words

    with pytest.raises(TreeFailed) as caught:
        await tree.run()

    assert [str(error) for error in caught.value.exceptions] == ["'int' object has no attribute 'words'"]


def test_attribute_of_what_may_be_none_is_refused() -> None:
    """None has none."""
    tree = Registry("t")

    @tree.task
    async def load() -> Page:
        return Page(3)

    reference: Any = load.maybe
    with pytest.raises(
        AttributeError,
        match=exactly("<maybe of 't/load'> may be None, which has no attribute 'words'; take it as it is"),
    ):
        _ = reference.words


@pytest.mark.parametrize("name", ["_target", "_way", "_attributes", "_words", "__wrapped__"])
def test_private_attribute_is_refused(name: str) -> None:
    """A reference has none of its own that could be taken for one of the result."""
    tree = Registry("t")

    @tree.task
    async def load() -> Page:
        return Page(3)

    with pytest.raises(
        AttributeError,
        match=exactly(
            f"<output of 't/load.links'> has no attribute '{name}': a name that begins with an underscore is private"
        ),
    ):
        getattr(load.output.links, name)


#: What a type checker lets pass with a number, or a list.
_COMPUTING: list[Callable[[Any], object]] = [
    lambda words: words == 3,
    lambda words: words != 3,
    lambda words: words > 2,
    lambda words: not words,
    lambda words: words or 3,
    lambda words: words + 1,
    lambda words: 2 * words,
    lambda words: -words,
    lambda words: f"{words}",
    lambda words: words[0],
    lambda words: 3 in words,
    len,
    int,
    lambda words: words(),
    lambda words: [*words],
]


@pytest.mark.parametrize("compute", _COMPUTING)
def test_what_computes_with_a_reference_is_refused(compute: Callable[[Any], object]) -> None:
    """The type checker takes it for the result; nothing is known of that yet, so no answer would be right."""
    tree = Registry("t")

    @tree.task
    async def load() -> Page:
        return Page(3)

    message = "<output of 't/load.words'> has a value only in a run; take it as it is, and do the rest in the body"
    with pytest.raises(TypeError, match=exactly(message)):
        compute(load.output.words)
    assert len({load.output.words, load.output.words}) == 2


def test_functions_that_take_references_can_be_compared() -> None:
    """As decorators and mocks compare signatures: a reference is the same as itself."""
    tree = Registry("t")

    @tree.task
    async def load() -> int:
        return 3

    def show(words: int = load.output) -> None: ...

    assert inspect.signature(show) == inspect.signature(show)


async def test_reference_may_be_copied() -> None:
    """The copy is to the same."""
    tree = Registry("t")

    @tree.task
    async def load() -> Page:
        return Page(3)

    words = copy.copy(load.output.words)

    @tree.task
    async def double(words: int = words) -> int:
        return words * 2

    assert repr(words) == "<output of 't/load.words'>"
    assert (await tree.run())[double] == 6


def test_handle_as_a_default_is_refused_with_the_fix() -> None:
    """It is the task, not what the task returns."""
    tree = Registry("t")

    @tree.task
    async def load() -> int:
        return 3

    async def show(*, number: Any = load) -> None: ...  # noqa: ANN401 - the mistake itself

    with pytest.raises(
        DefinitionError,
        match=r"^'show' \(.*\) cannot be a task: the default of 'number' is the task 'load' itself; "
        r"write load\.output for what it returns$",
    ):
        tree.task(show)


# -- conditions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "ends"), [(3, "done"), (-3, "skipped")])
async def test_condition_takes_data_like_a_body(number: int, ends: str) -> None:
    """It is asked once that is there."""
    tree = Registry("t")

    @tree.task
    async def load() -> int:
        return number

    def is_positive(node: TaskNode, loaded: int = load.output) -> bool:
        assert node.id == "t/show"
        return loaded > 0

    @tree.task(when=is_positive)
    async def show() -> None: ...

    result = await tree.run()

    node = result.tree.find("t/show")
    assert node is not None
    assert node.status == ends


async def test_condition_whose_data_is_lost_is_not_asked() -> None:
    """What it decides about is skipped, as if its body had taken the data."""
    tree = Registry("t")

    @tree.task(allow_failure=True)
    async def load() -> int:
        raise OSError("no disk")

    def never(loaded: int = load.output) -> bool:
        raise AssertionError(loaded)

    @tree.task(when=never)
    async def show() -> None: ...

    result = await tree.run()

    node = result.tree.find("t/show")
    assert node is not None
    assert (node.status, node.reason) == ("skipped", "'t/load' failed")


async def test_condition_of_spawned_children() -> None:
    """Each is asked for itself; `with_options` may ask something else."""
    tree = Registry("t")

    @tree.task
    async def limit() -> int:
        return 2

    def is_near(node: TaskNode, most: int = limit.output) -> bool:
        return not node.id.endswith(f"[{most}]")

    @tree.task(when=is_near)
    async def fetch(number: int) -> int:
        return number

    @tree.group
    async def crawl() -> Spawns[None]:
        yield [fetch.child(number) for number in range(4)]
        yield fetch.child(4).with_options(when=lambda: False)

    result = await tree.run()

    assert sorted(result.all(fetch)) == [0, 1, 3]


@pytest.mark.parametrize("parallel", [True, False])
async def test_child_whose_condition_is_false_is_no_failure_of_its_parent(parallel: bool) -> None:
    """The body goes on behind the yield, side by side and in sequence; who asks for the result is told."""
    tree = Registry("t")

    @tree.task
    async def step(number: int) -> int:
        return number

    @tree.group(parallel=parallel)
    async def steps() -> Spawns[str]:
        yield (never := step.child(1).with_options(when=lambda: False))
        yield [step.child(2).with_options(when=lambda: False), step.child(3)]
        assert (yield JOIN) == [3]
        try:
            await never
        except TaskFailed as error:
            yield Return(str(error))

    assert (await tree.run())[steps] == "child 't/steps/step[1]' was skipped: its condition was false"


async def plain() -> bool:
    """Answer too late."""
    return True


def no_default(env: str) -> bool:
    """Need what nobody gives."""
    return bool(env)


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        (plain, "when=plain cannot be asked: it is no plain function; write it as a `def` that answers at once"),
        (
            no_default,
            "when=no_default cannot be asked: nothing binds 'env'; give it a default, as in env: str = "  # noqa: ISC004
            "settings.output.env",
        ),
        (True, "when=True cannot be asked: it is no function but of type bool; declare a `def` or `async def`"),
    ],
)
def test_condition_that_cannot_be_asked_is_refused(when: Callable[..., bool], problem: str) -> None:
    """When the task is declared."""
    tree = Registry("t")

    async def show() -> None: ...

    with pytest.raises(DefinitionError, match=exactly(f"task 't/show' ({at(show)}): {problem}")):
        tree.task(when=when)(show)


def test_task_as_a_condition_is_refused_with_the_way_to_ask_for_its_result() -> None:
    """It is no function that answers at once."""
    tree = Registry("t")

    @tree.task
    async def ready() -> bool:
        return True

    async def show() -> None: ...

    fix = "write a function that takes its result: def ask(found: bool = ready.output) -> bool"
    message = f"task 't/show' ({at(show)}): when=ready cannot be asked: it is a task; {fix}"
    with pytest.raises(DefinitionError, match=exactly(message)):
        tree.task(when=ready)(show)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("way", ["output", "maybe", "outcome", "optional", "when"])
def test_cycle_is_refused_whatever_the_edge(way: str) -> None:
    """An edge that is relaxed is waited for all the same, and so is that of a condition."""
    tree = Registry("t")

    @tree.group
    async def crawl() -> int:
        return 3

    def has_pages(pages: int | None = crawl.maybe) -> bool:
        return bool(pages)

    async def look() -> None: ...

    def take(number: int) -> None: ...

    if way == "optional":
        crawl.task(depends_on=[crawl.optional])(look)
    elif way == "when":
        crawl.task(when=has_pages)(look)
    else:
        take.__defaults__ = (getattr(crawl, way),)
        crawl.task(id="look")(take)

    message = (
        "'t/crawl/look' depends on itself: t/crawl/look -> t/crawl -> t/crawl/look; "
        "'t/crawl' ends after its child 't/crawl/look'; remove one of these dependencies"
    )
    with pytest.raises(DependencyCycleError, match=exactly(message)):
        tree.build()


def test_condition_that_takes_data_from_elsewhere_is_refused() -> None:
    """As a body would be."""
    other = Registry("other")

    @other.task
    async def load() -> int:
        return 3

    tree = Registry("t")

    def is_positive(loaded: int = load.output) -> bool:
        return loaded > 0

    async def show() -> None: ...

    with pytest.raises(
        MisplacedDependencyError,
        match=r"^task 't/show' \(.*\) takes 'loaded' from the output of 'other/load', which is declared in another "
        r"registry \(.*\); declare both in one$",
    ):
        tree.task(when=is_positive)(show)


def test_what_always_runs_may_look_at_how_others_ended() -> None:
    """But need nothing of them, nor may its condition."""
    tree = Registry("t")

    @tree.task
    async def load() -> int:
        return 3

    def is_positive(loaded: int = load.output) -> bool:
        return loaded > 0

    async def close() -> None: ...

    with pytest.raises(DefinitionError) as caught:
        tree.task(always=True, when=is_positive)(close)

    assert str(caught.value).endswith(
        ": always=True runs whatever happened before, so it cannot take 'loaded' from the output of 't/load'; "
        "write load.maybe, which may be None, or load.outcome"
    )
