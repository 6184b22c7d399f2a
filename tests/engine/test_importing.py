"""A thread that imports an event loop for the first time, while others run trees on another one."""

from __future__ import annotations

import io
import sys
from types import ModuleType

import pytest

from treetask import Registry
from treetask.display import LiveDisplay
from treetask.testing import VirtualClock

tree = Registry("r")


@tree.task
async def answer() -> int:
    """Do nothing that takes long."""
    return 42


@pytest.fixture(params=["trio", "trio.lowlevel"])
def trio_half_imported(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the others see of trio meanwhile: modules without what comes at their ends."""
    monkeypatch.setitem(sys.modules, "trio", ModuleType("trio"))
    monkeypatch.delitem(sys.modules, "trio.lowlevel", raising=False)
    monkeypatch.setitem(sys.modules, request.param, ModuleType(request.param))


@pytest.mark.usefixtures("trio_half_imported")
def test_run_while_another_thread_imports_trio() -> None:
    """What is half imported is no loop that runs."""
    assert tree.run_sync()[answer] == 42


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.usefixtures("trio_half_imported", "anyio_backend")
async def test_display_and_clock_while_another_thread_imports_trio() -> None:
    """They ask which loop they are on, too."""
    built = tree.build()
    with VirtualClock(), LiveDisplay(output=io.StringIO()) as display:
        display.update(built)
    assert built.root.status == "pending"
