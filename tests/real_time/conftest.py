"""What the engine does in the world's time, since no other will do: the threads of the tests are really blocked."""

from __future__ import annotations

from tests.engine.block_warnings import reports, watchdog

__all__ = ["reports", "watchdog"]
