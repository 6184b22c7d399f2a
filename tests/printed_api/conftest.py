"""The two origins of programs, and virtual time for those that sleep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from tests.printed_api.programs import OWN, Programs
from tests.printed_api.reading import printed_document, read_programs
from treetask.testing import ScreenTerminal, VirtualClock


@pytest.fixture(params=["own", "printed"])
def programs(request: pytest.FixtureRequest) -> Programs:
    """The programs that are run: our own, and those of the printed API where it is at hand."""
    if request.param == "own":
        return OWN
    document = printed_document()
    if document is None:
        pytest.skip("TREETASK_SHARED names no folder with the printed API")
    return read_programs(document)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> ScreenTerminal:
    """A terminal with room for every row."""
    monkeypatch.setenv("TERM", "xterm-256color")
    return ScreenTerminal(100, 40)


@pytest.fixture(params=["asyncio", "trio"])
def virtual_run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """`anyio.run` as programs call it, on this event loop and without the waiting."""
    run = anyio.run
    backend: str = request.param

    def run_in_virtual_time(async_fn: Callable[[], Awaitable[object]]) -> object:
        async def main() -> object:
            with VirtualClock():
                return await async_fn()

        return run(main, backend=backend)

    monkeypatch.setattr(anyio, "run", run_in_virtual_time)
