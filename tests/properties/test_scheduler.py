"""Random trees run by the scheduler alone, without an event loop: what must hold whatever happens, in whatever order.

A tape of bytes decides everything: the tree, its options, which body ends next and how, what is added, stopped or
paused meanwhile. When the tape has run out all that runs ends well. So a tape that finds a fault shrinks to the
decisions that it takes.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.awaiting_world import AwaitingWorld
from tests.properties.random_tree import Tape
from tests.properties.recorded_world import RecordedWorld
from tests.properties.size import examples
from tests.properties.world import World
from treetask import OnFailure

pytestmark = pytest.mark.slow

MAX_DECISIONS = 600

tapes = st.integers(0, MAX_DECISIONS).flatmap(lambda length: st.binary(min_size=length, max_size=length))


def run_by(tape: bytes, kind: type[World] = World, *, is_friendly: bool = False) -> World:
    """Run a random tree as a tape says, to its end, and check it all along; a failure tells the story."""
    world = kind(Tape(tape), is_friendly=is_friendly)
    try:
        world.run()
    except Exception as error:
        raise AssertionError("\n".join([f"{error}; the story:", *world.story])) from error
    return world


@examples(500)
@given(tapes)
def test_whatever_happens_the_run_ends_in_order(tape: bytes) -> None:
    """Nothing starts before it may, nor waits for what is free; all counts are right; every node ends as it must."""
    run_by(tape)


@examples(300)
@given(tapes)
def test_whatever_is_waited_for_comes(tape: bytes) -> None:
    """Bodies that wait for others hold nothing, and are refused what, in the end, waits for them."""
    run_by(tape, AwaitingWorld)


@examples(300)
@given(tapes)
def test_ends_count_when_they_are_on_record(tape: bytes) -> None:
    """Until then nothing begins that waits for them, and nothing else ends them; and all of that in order."""
    world = run_by(tape, RecordedWorld)

    assert isinstance(world, RecordedWorld)
    assert not world.asked


@examples(150)
@given(tapes)
def test_nothing_is_cancelled_unless_somebody_says_so(tape: bytes) -> None:
    """Without a policy that stops siblings, whatever fails, all the rest runs or is skipped for a reason."""
    world = run_by(tape, is_friendly=True)

    policies = {world.tree.config.on_failure, *(node.options.on_failure for node in world.tree.walk())}
    if policies <= {OnFailure.CONTINUE, None}:
        assert world.tree.get_stats()["cancelled"] == 0
