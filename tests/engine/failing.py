"""Children for bodies to spawn that do not end well, and what becomes of them."""

from __future__ import annotations

import anyio

from treetask import Registry, TreeFailed

leaves = Registry("leaves")


@leaves.task
async def broken(seconds: float) -> None:
    """Fail, after a while."""
    await anyio.sleep(seconds)
    raise OSError(f"broken after {seconds}")


@leaves.task
async def forever(number: int) -> None:
    """Wait until cancelled."""
    await anyio.sleep_forever()


def leaves_of(error: object) -> list[str]:
    """Return the messages of a failed run's leaves."""
    assert isinstance(error, TreeFailed)
    return [str(leaf) for leaf in error.exceptions]
