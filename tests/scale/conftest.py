"""Trees so large that a cost which is not the same for each node would be felt, by the timeout at the latest."""

from __future__ import annotations

from tests.virtual_time import pytest_pyfunc_call, virtual_clock

__all__ = ["pytest_pyfunc_call", "virtual_clock"]
