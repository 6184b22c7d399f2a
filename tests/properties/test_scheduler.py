"""Random trees run by the scheduler alone, without an event loop: what must hold whatever happens, in whatever order.

A tape of bytes decides everything: the tree, its options, which body ends next and how, what is added, stopped or
paused meanwhile. When the tape has run out all that runs ends well. So a tape that finds a fault shrinks to the
decisions that it takes.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.properties.random_tree import Tape
from tests.properties.world import World
from treetask import OnFailure

pytestmark = pytest.mark.slow

MAX_DECISIONS = 600

#: To shrink a failure takes minutes: add Phase.shrink by hand, and `--timeout 0 -o faulthandler_timeout=0`.
PHASES = [Phase.explicit, Phase.generate]

tapes = st.integers(0, MAX_DECISIONS).flatmap(lambda length: st.binary(min_size=length, max_size=length))


def run_by(tape: bytes, *, is_friendly: bool = False) -> World:
    """Run a random tree as a tape says, to its end, and check it all along; a failure tells the story."""
    world = World(Tape(tape), is_friendly=is_friendly)
    try:
        world.run()
    except Exception as error:
        raise AssertionError("\n".join([f"{error}; the story:", *world.story])) from error
    return world


@settings(max_examples=500, phases=PHASES, deadline=None, derandomize="CI" in os.environ, database=None)
@given(tapes)
def test_whatever_happens_the_run_ends_in_order(tape: bytes) -> None:
    """Nothing starts before it may, slots and counters are right at every moment, and every node ends as it must."""
    run_by(tape)


@settings(max_examples=150, phases=PHASES, deadline=None, derandomize="CI" in os.environ, database=None)
@given(tapes)
def test_nothing_is_cancelled_unless_somebody_says_so(tape: bytes) -> None:
    """R33: without a policy that stops siblings, whatever fails, all the rest runs or is skipped for a reason."""
    world = run_by(tape, is_friendly=True)

    policies = {world.tree.config.on_failure, *(node.options.on_failure for node in world.tree.walk())}
    if policies <= {OnFailure.CONTINUE, None}:
        assert world.tree.get_stats()["cancelled"] == 0
