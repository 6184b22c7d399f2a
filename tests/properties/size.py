"""How many random cases the properties look at."""

from __future__ import annotations

import os

from hypothesis import Phase, settings


def examples(count: int) -> settings:
    """Return settings for a property: so many cases, times what the environment says in `TREETASK_PROPERTIES`.

    For a night: `TREETASK_PROPERTIES=100 pytest tests/properties --timeout 0 -o faulthandler_timeout=0`. In CI the
    cases are the same every time. To shrink a failure takes minutes: add `Phase.shrink` by hand.
    """
    return settings(
        max_examples=count * int(os.environ.get("TREETASK_PROPERTIES", "1")),
        phases=[Phase.explicit, Phase.generate],
        deadline=None,
        derandomize="CI" in os.environ,
        database=None,
    )
