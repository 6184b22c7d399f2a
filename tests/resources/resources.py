"""A resource that tells what becomes of it, and what a run that failed says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import anyio

from tests.engine.support import Log
from treetask import TreeCancelled, TreeFailed

Opener = Callable[[], AsyncGenerator[str, None]]


def noted(log: Log, name: str, *, opening: float = 0, closing: float = 0) -> Opener:
    """A resource that tells when it is opened and closed, and takes its time for it."""

    async def hold() -> AsyncGenerator[str, None]:
        log.append(f"{name} opens")
        await anyio.sleep(opening)
        log.append(f"{name} is open")
        try:
            yield name
        finally:
            log.append(f"{name} closes")
            await anyio.sleep(closing)
            log.append(f"{name} is closed")

    hold.__name__ = name
    return hold


def told_of(failure: TreeFailed | TreeCancelled | None) -> list[str]:
    """What a run that failed says, leaf by leaf."""
    assert isinstance(failure, TreeFailed)
    return [str(each) for each in failure.exceptions]
