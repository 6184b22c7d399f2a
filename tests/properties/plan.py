"""Random plans: a tree, what the attempts of its bodies do, and who interferes when. All of it comes from a seed.

No two things happen at the same time unless one follows from the other: times are random multiples of a unit that is
so coarse that their sums are exact, and bodies that are stopped at once take times of their own to end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias

from tests.properties.random_tree import LIMITS, RARE, Condition, said_of
from treetask import DependencyCycleError, OnFailure, Retry, TaskNode, TaskTree, TreeTaskConfig, optional
from treetask.model import NodeKeywords, RetryOn, dependencies_of

MAX_NODES = 20

#: Coarser than the resolution of asyncio's clock too, within which things are simultaneous.
UNIT = 2.0**-28

WORTH_A_RETRY: list[RetryOn] = [OSError, (OSError, TimeoutError)]

#: How a body ends; only one that was stopped does so because of that.
End: TypeAlias = Literal["returns", "raises", "exits", "stops"]
What: TypeAlias = Literal["cancel", "cancel the run", "cancel the caller", "hurry", "pause", "resume", "add"]

#: What comes by itself; the others follow.
WHATS: list[What] = ["cancel", "cancel", "cancel the run", "cancel the caller", "pause", "add", "add"]


class Chance(Random):
    """What is random."""

    def once_in(self, among: int) -> bool:
        """Return True once in so many times."""
        return self.randrange(among) == 0

    def seconds(self, least: float, most: float) -> float:
        """Return a time that no other one is equal to, nor a sum of others."""
        return self.randrange(int(least / UNIT) + 1, int(most / UNIT)) * UNIT


@dataclass(frozen=True)
class Attempt:
    """What one attempt of a body does."""

    #: Which call of the body this is.
    number: int
    #: Whether it adds a child to its node, to begin with.
    adds: bool
    seconds: float
    end: End
    #: How long it takes to end once it is stopped, and how it does so then.
    seconds_to_stop: float
    end_when_stopped: End


@dataclass(frozen=True)
class Disturbance:
    """What somebody does from outside, to a node or to all of them."""

    at: float
    what: What
    node_id: str


async def body(node: TaskNode) -> None:
    """Stand for a body; whoever runs the plan puts another one in its place."""
    raise AssertionError("no body is called here")


class Plan:
    """What a seed says. Its tree can be had as often as it is to be run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        chance = Chance(f"{seed} plan")
        self.rare = frozenset(name for name in RARE if chance.once_in(2)) if chance.randrange(4) else frozenset[str]()
        #: How many of the attempts fail.
        self.failures = chance.choice([0.05, 0.15, 0.3])
        self.disturbances = sorted(_disturbances(chance), key=lambda one: one.at) if chance.once_in(3) else []

    def attempt(self, node_id: str, number: int) -> Attempt:
        """Return what a body does when it is called for the so-and-so-many-th time."""
        chance = Chance(f"{self.seed} {node_id} {number}")
        return Attempt(
            number=number,
            adds="+" not in node_id and chance.once_in(8),
            seconds=0.0 if chance.once_in(8) else chance.seconds(0, 2),
            end="exits" if chance.once_in(200) else "raises" if chance.random() < self.failures else "returns",
            seconds_to_stop=chance.seconds(0, 0.5),
            end_when_stopped=chance.choice(["stops", "stops", "stops", "raises", "returns"]),
        )

    def tree(self) -> TaskTree:
        """Return the tree, new. What would close a cycle is left out."""
        chance = Chance(self.seed)
        config = TreeTaskConfig(
            max_retries=chance.randint(0, 1),
            max_concurrency=chance.choice([None, 1, 2, 3]),
            on_failure=chance.choice(list(OnFailure)),
            global_timeout=chance.seconds(1, 8) if chance.once_in(8) else None,
            default_task_timeout=chance.seconds(0.5, 2) if "timeout" in self.rare and chance.once_in(3) else None,
            grace=chance.seconds(0, 2),
            block_warning=None,
        )
        tree = TaskTree(TaskNode("n0", parallel=chance.once_in(2)), config)
        for number in range(1, 2 + chance.randrange(MAX_NODES)):
            nodes = list(tree.walk())
            node = self._node(chance, f"n{number}", [one.id for one in nodes])
            tree.add(node, chance.choice(nodes))
            try:
                dependencies_of(tree)
            except DependencyCycleError:
                tree.remove(node)
        return tree

    def late_child(self, parent: TaskNode, number: float) -> TaskNode:
        """Return a node that comes to a parent while the tree runs."""
        node_id = f"{parent.id}+{number}"
        return self._node(Chance(f"{self.seed} {node_id}"), node_id, ["n1", "n2", "n3"])

    def _node(self, chance: Chance, node_id: str, known: list[str]) -> TaskNode:
        has_body, rare = chance.random() < 0.7, self.rare
        options = NodeKeywords(max_retries=chance.choice([None, None, 0, 1, 2]))
        if "retry" in rare and chance.once_in(2):
            options["max_retries"], options["retry"] = None, _retry(chance)
        if "limits" in rare and has_body:
            options["limits"] = [limit for limit in LIMITS if chance.once_in(3)]
        if "timeout" in rare and chance.once_in(3):
            options["timeout"] = chance.seconds(0, 3)
        if chance.once_in(10):
            options["when"] = Condition(chance.choice([True, False, None]))
        if "max_parallel" in rare:
            options["max_parallel"] = chance.choice([None, None, 1, 2])
        if "priority" in rare:
            options["priority"] = chance.choice([None, None, 0, 1, 3])
        if "cost" in rare:
            options["cost"] = chance.choice([None, None, 0, 1, 4])
        always = options["always"] = "always" in rare and chance.once_in(3)
        options["allow_failure"] = "allow_failure" in rare and chance.once_in(3)
        options["on_failure"] = chance.choice([None, None, *OnFailure])
        wanted = [chance.choice(known) for _ in range(2) if chance.once_in(4)]
        may_be_optional = "optional" in rare
        options["depends_on"] = [
            optional(one) if always or (may_be_optional and chance.once_in(2)) else one for one in wanted
        ]
        return TaskNode(node_id, parallel=chance.random() < 0.7, task_fn=body if has_body else None, **options)

    def __str__(self) -> str:
        """For the reader of a failure."""
        tree, plain = self.tree(), vars(TreeTaskConfig())
        config = {name: value for name, value in vars(tree.config).items() if value != plain[name]}
        return "\n".join([f"Plan({self.seed}): {config}", *map(said_of, tree.walk()), *map(str, self.disturbances)])


def _retry(chance: Chance) -> Retry:
    return Retry(
        chance.choice(WORTH_A_RETRY),
        attempts=chance.randint(1, 3),
        timeout=chance.seconds(1, 5) if chance.once_in(2) else None,
        wait_initial=chance.choice([0.0, chance.seconds(0, 1)]),
        wait_jitter=0,
    )


def _disturbances(chance: Chance) -> Iterator[Disturbance]:
    for _ in range(chance.randint(1, 3)):
        at, node_id = chance.seconds(0, 4), f"n{chance.randrange(MAX_NODES // 2)}"
        what = chance.choice(WHATS)
        yield Disturbance(at, what, node_id)
        if what == "pause":
            yield Disturbance(at + chance.seconds(0, 2), "resume", node_id)
        elif what == "cancel the run":
            yield Disturbance(at + chance.seconds(0, 1), "hurry", node_id)
