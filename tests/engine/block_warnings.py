"""What is said of loops that do not turn, as tests read it."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator

import pytest

from treetask.engine import _run, _watchdog
from treetask.engine._watchdog import Watchdog

DEADLINE = 20


class Reports(logging.Handler):
    """What was said of blocked loops, without the seconds in it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.some = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(re.sub(r"\d+\.\d+ s", "… s", record.getMessage()))
        self.some.set()

    def wait(self) -> None:
        """Block, until that is reported."""
        assert self.some.wait(DEADLINE)

    def accused(self) -> list[str]:
        """Who was said to block."""
        return [one.split(" has ")[0] for one in self.said if " has blocked " in one]


@pytest.fixture
def reports() -> Iterator[Reports]:
    """What the engine says."""
    handler, logger = Reports(), logging.getLogger("treetask")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def watchdog(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchdog]:
    """A watchdog that has watched nothing yet."""
    watchdog = Watchdog()
    monkeypatch.setattr(_run, "watchdog", watchdog)
    yield watchdog
    thread = watchdog._thread
    if thread is not None:
        monkeypatch.setattr(_watchdog, "_PATIENCE", 0)
        watchdog._has_news = False
        watchdog._alarm.set()
        thread.join(DEADLINE)
