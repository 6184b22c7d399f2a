"""The pytest plugin: `virtual_clock` and `treetask_run`. Loaded with pytest, so it loads nothing itself before a test.

Works with whatever runs the async tests, since all that it changes is the test's function; and with nothing, for tests
that are plain functions. No fixture here is async: the event loop is not asked for anything after the test, so that one
that hangs can be given up.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from treetask.testing import TreeTaskRun, VirtualClock

__all__ = ["treetask_run", "virtual_clock"]


@pytest.fixture
def virtual_clock(request: pytest.FixtureRequest) -> Iterator[VirtualClock]:
    """The clock of the whole test, if it is an `async def`: a day passes at once. Its fixtures keep the world's time.

    A test that is a `def` gets the clock that `treetask_run` runs by.
    """
    from treetask.testing import VirtualClock

    clock, test = VirtualClock(), request.node
    body = getattr(test, "obj", None)
    if not inspect.iscoroutinefunction(body):
        yield clock
        return
    test.obj = _governed_by(clock, body)
    yield clock
    test.obj = body


@pytest.fixture
def treetask_run(request: pytest.FixtureRequest, virtual_clock: VirtualClock) -> TreeTaskRun:
    """What runs a pipeline to its end in virtual time, whatever fails; see `treetask.testing.TreeTaskRun`.

    A `def` test has asyncio for it, or what the fixture `anyio_backend` says where the test asks for that too.
    """
    from treetask.testing import TreeTaskRun

    backend: str | tuple[str, dict[str, Any]] = "asyncio"
    if "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend")
    name, options = (backend, {}) if isinstance(backend, str) else backend
    return TreeTaskRun(virtual_clock, backend=name, backend_options=options)


def _governed_by(
    clock: VirtualClock, body: Callable[..., Coroutine[object, object, None]]
) -> Callable[..., Coroutine[object, object, None]]:
    """The same test, in virtual time."""

    @functools.wraps(body)
    async def body_in_virtual_time(*args: object, **kwargs: object) -> None:
        with clock:
            await body(*args, **kwargs)

    return body_in_virtual_time
