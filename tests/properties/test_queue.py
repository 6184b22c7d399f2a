"""The queue of ready nodes: whatever comes in, however, the first of all is taken out."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from treetask import TreeBuilder
from treetask.engine._queue import ReadyQueue


@st.composite
def steps(draw: st.DrawFn) -> list[list[int] | None]:
    """Runs of numbers that come in, in their order, each number once; None where one is taken out."""
    numbers = draw(st.permutations(range(draw(st.integers(1, 30)))))
    came: list[list[int] | None] = []
    while numbers:
        count = draw(st.integers(1, 6))
        came += [None] * draw(st.integers(0, 3))
        came.append(sorted(numbers[:count]))
        numbers = numbers[count:]
    return came


@given(steps(), st.booleans())
def test_first_of_all_is_taken_out(steps: list[list[int] | None], backwards: bool) -> None:
    """By declaration, or by a rank that turns it round."""
    builder = TreeBuilder("root")
    for number in range(30):
        builder.add_child(f"{number}")
    nodes = builder.build().root.children
    queue = ReadyQueue()
    if backwards:
        queue.sort_anew(lambda node: -int(node.id))
    waiting: set[int] = set()

    for came in [*steps, *[None] * 31]:
        if came is not None:
            waiting.update(came)
            if len(came) == 1:
                queue.push(nodes[came[0]])
            else:
                queue.push_all([nodes[number] for number in came])
            continue
        first = (max if backwards else min)(waiting, default=None)
        taken = queue.pop()
        assert (None if taken is None else int(taken.id)) == first
        waiting.discard(-1 if first is None else first)

    assert len(queue) == 0
