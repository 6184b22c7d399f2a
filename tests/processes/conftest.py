"""Real processes, and whether one is still there; the clock of the run that waits for them is virtual all the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes.support import Pulse
from treetask.engine import _process

__all__ = ["pipes", "pulse"]


@pytest.fixture
def pulse(tmp_path: Path) -> Any:  # noqa: ANN401 - a generator
    """A pulse."""
    pulse = Pulse(tmp_path)
    yield pulse
    pulse.close()


@pytest.fixture(params=["loop", "thread"])
def pipes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to read what a process writes; the second is that of Windows, and of no other system."""
    if sys.platform == "win32" and request.param == "loop":
        pytest.skip("the event loops of Windows do not wait for pipes")
    monkeypatch.setattr(_process, "READS_IN_THREADS", request.param == "thread")
    kind: str = request.param
    return kind
