"""Trees that are very deep: nothing in the engine recurses (R7), and cost grows with size alone (R45)."""

from __future__ import annotations

import pytest

from tests.engine.chains import a_chain
from tests.engine.support import ended, fail, ok
from treetask import AsyncExecutor, TreeFailed

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


@pytest.mark.timeout(60)
async def test_chain_a_hundred_thousand_deep_runs(anyio_backend_name: str) -> None:
    """R7: built, run, counted. What is too deep for Python is so on either loop, so on one it goes less deep."""
    depth = 100_000 if anyio_backend_name == "asyncio" else 20_000
    tree = a_chain(depth, ok)
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == depth
    assert tree.subtree_stats(tree.root).done == depth - 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("depth", [30_000])
async def test_failure_at_the_end_of_a_deep_chain(depth: int) -> None:
    """It goes all the way up, at the same cost for each level, and is one leaf."""
    tree = a_chain(depth, ok, fail)
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [str(leaf) for leaf in error.exceptions] == [f"{depth - 1} is broken"]
    assert tree.get_stats()["failed"] == depth
