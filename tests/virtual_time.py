"""The virtual clock as a fixture: it governs the test's own coroutine, on either loop.

No async fixture: the event loop is not asked for anything after the test, so that one that hangs can be given up.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Generator

import pytest

from treetask.testing import VirtualClock


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """A virtual clock, in charge as long as the test runs."""
    return VirtualClock()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Let the body of a test that asks for the clock run under it."""
    clock, body = pyfuncitem.funcargs.get("virtual_clock"), pyfuncitem.obj
    if isinstance(clock, VirtualClock) and inspect.iscoroutinefunction(body):
        pyfuncitem.obj = governed_by(clock, body)
    return (yield)


def governed_by(
    clock: VirtualClock, body: Callable[..., Coroutine[object, object, None]]
) -> Callable[..., Coroutine[object, object, None]]:
    """The same test, in virtual time."""

    @functools.wraps(body)
    async def body_in_virtual_time(**arguments: object) -> None:
        with clock:
            await body(**arguments)

    return body_in_virtual_time
