"""Random trees whose nodes wait at limits, for places and for each other: nothing is exceeded, nobody forgotten."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings

from tests.properties.gated_world import GatedWorld
from tests.properties.random_tree import Tape
from tests.properties.test_scheduler import PHASES, tapes

pytestmark = pytest.mark.slow


@settings(max_examples=500, phases=PHASES, deadline=None, derandomize="CI" in os.environ, database=None)
@given(tapes)
def test_whatever_is_waited_for_comes(tape: bytes) -> None:
    """R22, R31, R32: no limit, rate or number of places is exceeded, and every run ends."""
    world = GatedWorld(Tape(tape), is_friendly=False)
    try:
        world.run()
    except Exception as error:
        raise AssertionError("\n".join([f"{error}; the story:", *world.story])) from error
