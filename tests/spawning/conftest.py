"""The fixtures of these tests: the watchdog, and a gate for threads."""

from __future__ import annotations

from tests.engine.block_warnings import reports, watchdog
from tests.engine.gate import gate

__all__ = ["gate", "reports", "watchdog"]
