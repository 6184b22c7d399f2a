"""The watchdog as fixtures. No test here sleeps: time is virtual."""

from __future__ import annotations

from tests.engine.block_warnings import reports, watchdog

__all__ = ["reports", "watchdog"]
