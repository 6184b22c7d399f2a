"""Properties look at hundreds of cases each: they get longer than other tests before they count as hanging."""

from __future__ import annotations

import pytest

#: Below `faulthandler_timeout`, which ends the whole run.
SECONDS = 80


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all tests of this folder more time."""
    for item in items:
        if item.path.is_relative_to(__file__.removesuffix("conftest.py")) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SECONDS))
