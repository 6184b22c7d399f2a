"""What all tests of displays share: a terminal that obeys escape sequences, wherever the tests run."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
