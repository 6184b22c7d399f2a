"""What declarations say of others that run beside them: limits, optional dependencies, what always runs."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from tests.sentences import exactly
from treetask import DefinitionError, Limit, Registry, Retry, Spawns, TreeFailed
from treetask.testing import run_virtual

pytestmark = pytest.mark.anyio

LOOPS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@LOOPS
def test_tasks_that_name_a_limit_share_it(backend: str) -> None:
    """It counts bodies across the tree, whoever spawned them."""
    tree = Registry("t")
    api = tree.limit("api", max_concurrency=2)
    now: list[int] = [0]
    most: list[int] = []

    async def call() -> None:
        now[0] += 1
        most.append(now[0])
        await anyio.sleep(1)
        now[0] -= 1

    @tree.task(limits=[api])
    async def fetch(number: int) -> None:
        await call()

    @tree.task(limits=[api])
    async def publish() -> None:
        await call()

    @tree.group
    async def crawl() -> Spawns[None]:
        yield [fetch.child(number) for number in range(5)]

    run_virtual(tree.run, backend=backend)

    assert (max(most), len(most)) == (2, 6)


def test_second_limit_of_a_name_is_refused() -> None:
    """Both places are named."""
    tree = Registry("t")
    tree.limit("api", per_second=1)
    with pytest.raises(DefinitionError) as refused:
        tree.limit("api", per_second=1)

    place = r"tests.dsl.test_sharing\.py:\d+"
    message = rf"registry 't' has a limit 'api' already \({place}\), and again at {place}; share the first"
    assert re.fullmatch(message, str(refused.value))


@pytest.mark.parametrize(
    ("options", "error", "problem"),
    [
        ({}, ValueError, "limit 'api' limits nothing; give it max_concurrency=, per_second= or both"),
        (
            {"max_concurrency": 0},
            ValueError,
            "limit 'api': max_concurrency is 0; expected at least 1; None means no limit",
        ),
        (
            {"per_second": 0},
            ValueError,
            "limit 'api': per_second is 0; expected a finite number over 0; None means no limit",
        ),
        ({"per_second": "2"}, TypeError, "limit 'api': per_second is '2'; expected a number of starts or None"),
    ],
)
def test_limit_out_of_range_is_refused(options: dict[str, Any], error: type[Exception], problem: str) -> None:
    """By name, when it is made."""
    with pytest.raises(error, match=exactly(problem)):
        Registry("t").limit("api", **options)


def test_limit_on_a_spawner_is_refused_when_it_is_declared() -> None:
    """Its children are what can be limited."""
    tree = Registry("t")
    api = tree.limit("api", per_second=1)

    async def crawl() -> AsyncGenerator[Any, Any]:
        yield []

    message = r"^task 't/crawl' \(.*\) yields children, so it cannot be limited by 'api'; limit its children$"
    with pytest.raises(DefinitionError, match=message):
        tree.task(limits=[api])(crawl)


@LOOPS
def test_optional_dependency_waits_for_the_end_however_it_is(backend: str) -> None:
    """Order without need."""
    tree = Registry("t", on_failure="continue")
    order: list[str] = []

    @tree.task
    async def lint() -> None:
        await anyio.sleep(1)
        order.append("lint")
        raise OSError("untidy")

    @tree.task(depends_on=[lint.optional])
    async def publish() -> None:
        order.append("publish")

    with pytest.raises(TreeFailed):
        run_virtual(tree.run, backend=backend)

    assert order == ["lint", "publish"]


@LOOPS
def test_task_that_always_runs_goes_last(backend: str) -> None:
    """A clean-up runs after all others, also when one of them has failed."""
    tree = Registry("t")
    order: list[str] = []

    @tree.task(always=True)
    async def clean_up() -> None:
        order.append("clean_up")

    @tree.task(retry=Retry(on=OSError, attempts=2, wait_jitter=0))
    async def load() -> None:
        order.append("load")
        raise OSError("down")

    with pytest.raises(TreeFailed):
        run_virtual(tree.run, backend=backend)

    assert order == ["load", "load", "clean_up"]


def test_what_always_runs_can_need_nothing() -> None:
    """Refused when it is declared, with the way to write it."""
    tree = Registry("t")

    @tree.task
    async def load() -> bytes:
        return b""

    async def clean_up() -> None: ...

    async def count(raw: bytes = load.output) -> None: ...

    why = r"always=True runs whatever happened before, so it cannot"
    message = rf"^task 't/clean_up' \(.*\): {why} need 't/load'; write depends_on=\[load\.optional\]$"
    with pytest.raises(DefinitionError, match=message):
        tree.task(always=True, depends_on=[load])(clean_up)
    message = rf"^task 't/count' \(.*\): {why} take 'raw' from the output of 't/load'; "
    message += r"write load\.maybe, which may be None, or load\.outcome$"
    with pytest.raises(DefinitionError, match=message):
        tree.task(always=True)(count)


def test_limits_are_plain_values() -> None:
    """Made without a registry, too, for trees that are built directly."""
    assert Registry("t").limit("api", max_concurrency=3) == Limit("api", max_concurrency=3)
