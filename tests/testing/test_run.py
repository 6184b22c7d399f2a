"""Running pipelines in tests: whatever there is to run, to its end, with what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from tests.sentences import exactly
from treetask import DefinitionError, Registry, TaskNode, TreeBuilder, TreeCancelled, TreeTaskConfig
from treetask.testing import TreeTaskRun, VirtualClock

HOUR = 3600


@dataclass(frozen=True)
class Settings:
    env: str = "dev"


tree = Registry("nightly")
settings = tree.params(Settings)


@tree.task
async def load(hours: float = 1, env: str = settings.output.env) -> str:
    """Give the environment, after hours."""
    await anyio.sleep(hours * HOUR)
    return env


@tree.task(timeout=HOUR / 2)
async def parse(loaded: str = load.output) -> int:
    """Fail where the environment is down."""
    if loaded == "down":
        raise LookupError(loaded)
    return len(loaded)


@pytest.mark.usefixtures("anyio_backend")
def test_registry_takes_its_parameters(treetask_run: TreeTaskRun, virtual_clock: VirtualClock) -> None:
    """Results by handle, the events, and no time."""
    result = treetask_run(tree, env="prod")

    assert (result.success, result[load], result[parse]) == (True, "prod", 4)
    assert result.recorder.starts == ["nightly", "nightly/load", "nightly/parse"]
    assert (result.failure, virtual_clock.now()) == (None, HOUR)


def test_task_takes_its_arguments_and_the_parameters(treetask_run: TreeTaskRun) -> None:
    """As `run` of a handle does."""
    assert treetask_run(load, 2, env="x").value == "x"
    assert treetask_run(load, hours=0).value == "dev"


def test_failure_is_looked_at(treetask_run: TreeTaskRun) -> None:
    """What failed does not raise; the error that `run` raises is kept."""
    result = treetask_run(tree, env="down")

    assert (result.success, result.recorder.statuses("nightly/parse")[-1]) == (False, "failed")
    assert result.failure is not None
    assert str(result.failure) == "'nightly' failed, 1 error (1 sub-exception)"
    assert result.recorder.ends == ["nightly/load", "nightly/parse", "nightly"]


def test_override_holds_in_the_run(treetask_run: TreeTaskRun) -> None:
    """A fake body instead of the one that loads."""

    async def fake(hours: float = 1, env: str = "") -> str:
        return "faked"

    with load.override(fake):
        assert treetask_run(tree)[parse] == 5


def test_cancelled_run_is_looked_at(treetask_run: TreeTaskRun) -> None:
    """A timeout of the whole is a failure of it."""
    result = treetask_run(tree, config=TreeTaskConfig(global_timeout=60))

    assert (result.tree.root.status, result.success) == ("timed_out", False)
    assert result.failure is not None
    assert not isinstance(result.failure, TreeCancelled)


async def measure(node: TaskNode) -> dict[str, int]:
    """A function of a tree that is built directly."""
    return {"length": len(node.id)}


@pytest.mark.parametrize("is_built", [False, True], ids=["builder", "tree"])
def test_trees_and_builders_run(treetask_run: TreeTaskRun, is_built: bool) -> None:
    """What is not declared runs too."""
    builder = TreeBuilder("sizes").add_child("a.txt", task=measure)

    result = treetask_run(builder.build() if is_built else builder)

    assert result.tree.collect_results()["a.txt"] == {"length": 5}


@pytest.mark.anyio
async def test_async_test_and_its_run_share_the_time(treetask_run: TreeTaskRun, virtual_clock: VirtualClock) -> None:
    """The run happens on the test's own loop, on either."""
    await anyio.sleep(HOUR)

    result = await treetask_run.async_(tree)

    assert (result[parse], virtual_clock.now()) == (3, 2 * HOUR)


def test_async_form_has_its_own_time_where_no_clock_is_in_charge(virtual_clock: VirtualClock) -> None:
    """As with a fixture of another plugin's, which the clock could not be put around."""
    result = anyio.run(TreeTaskRun(virtual_clock).async_, tree)

    assert (result[parse], virtual_clock.now()) == (3, HOUR)


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        (TreeBuilder("b"), {"env": "x"}, "treetask_run: was given 'env', which no TreeBuilder takes"),
        (TreeBuilder("b").build(), {"env": "x"}, "treetask_run: was given 'env', which no TaskTree takes"),
        (len, {}, f"treetask_run: {len!r} is no Registry, task, group, TaskTree or TreeBuilder"),
        (tree, {"enf": "x"}, "registry 'nightly': build() has no parameter 'enf' (did you mean 'env'?)"),
    ],
    ids=["builder", "tree", "function", "parameter"],
)
def test_what_does_not_fit_is_refused(
    treetask_run: TreeTaskRun,
    target: Any,  # noqa: ANN401 - wrong on purpose
    arguments: dict[str, Any],
    message: str,
) -> None:
    """Nothing that is given is ignored."""
    with pytest.raises(TypeError, match=exactly(message)):
        treetask_run(target, **arguments)


def test_tree_that_could_not_run_is_refused(treetask_run: TreeTaskRun) -> None:
    """A definition error is no result."""
    builder = TreeBuilder("b").add_child("a", depends_on=["c"])

    with pytest.raises(DefinitionError, match=exactly("task 'a' depends on unknown task 'c' (there are 'b')")):
        treetask_run(builder)
