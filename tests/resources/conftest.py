"""The fixtures of these tests: a gate for threads."""

from __future__ import annotations

from tests.engine.gate import gate

__all__ = ["gate"]
