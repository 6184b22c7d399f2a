"""The attribute of a target: what can be run, and what is said of all else."""

from __future__ import annotations

import pytest

from tests.cli.conftest import APP, Project

EXPECTED = (
    "expected a Registry, a group or task, a TaskTree, a TreeBuilder, or a function without arguments that returns one"
)


def test_unknown_attribute_is_told_with_the_closest_and_with_what_there_is(project: Project) -> None:
    """The frame of frames.md, word for word."""
    project.write("app.py", APP)

    assert project.treetask("app:nightyl").refusal == [
        "treetask: module 'app' has no attribute 'nightyl'; did you mean 'nightly'?",
        "  pipelines in app: nightly (Registry), crawl (group)",
    ]


def test_unknown_attribute_of_a_registry(project: Project) -> None:
    """The registry is right, the group in it is not."""
    project.write("app.py", APP)

    assert project.treetask("app:nightly.crawk").refusal == [
        "treetask: Registry 'nightly' has no 'crawk'; did you mean 'crawl'?",
        "  pipelines in app: nightly (Registry), crawl (group)",
    ]


def test_unknown_attribute_in_a_module_without_pipelines(project: Project) -> None:
    """The wrong file, or a beginner's: how a pipeline begins."""
    project.write("app.py", "LIMIT = 3\n")

    assert project.treetask("app:tree").refusal == [
        "treetask: module 'app' has no attribute 'tree'",
        '  there is no pipeline in app; one begins with: tree = Registry("tree")',
    ]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("3", "is an int, 3"),
        ("None", "is None"),
        ("['x' * 99]", "is a list"),
        ("Registry", "is the class Registry"),
        ("__import__('json')", "is a module"),
        ("lambda path, limit=3, *rest: nightly", "is a function that needs 'path'"),
        ("lambda: 3", "() returned an int, 3"),
        ("lambda: Registry", "() returned the class Registry"),
        ("lambda: print", "() returned a function"),
    ],
)
def test_wrong_kind_is_told(project: Project, value: str, what: str) -> None:
    """What was found, and what can be a target."""
    project.write("app.py", f"{APP}\nmade = {value}\n")

    space = "" if what.startswith("()") else " "
    assert project.treetask("app:made").refusal == [
        f"treetask: app:made{space}{what}; {EXPECTED}",
        "  pipelines in app: nightly (Registry), crawl (group)",
    ]


def test_plain_async_function_is_told_apart(project: Project) -> None:
    """A forgotten decorator."""
    project.write("app.py", f"{APP}\nasync def forgotten() -> None: ...\n")

    assert project.treetask("app:forgotten").refusal == [
        (
            "treetask: app:forgotten is a plain async function; decorate it with @tree.task to make it part of a "
            "pipeline, or leave out 'async' if it returns one"
        ),
        "  pipelines in app: nightly (Registry), crawl (group)",
    ]


def test_function_that_raises_is_told_with_the_users_own_frames(project: Project) -> None:
    """As at import."""
    project.write("app.py", f"{APP}\ndef make():\n    raise ValueError('no configuration')\n")

    assert project.treetask("app:make").refusal == [
        "treetask: app:make() raised ValueError",
        "  app.py:15 in make",
        "    raise ValueError('no configuration')",
        "  ValueError: no configuration",
    ]


@pytest.mark.parametrize(
    "made",
    [
        "TreeBuilder('root').add_child('a', task=body)",
        "TreeBuilder('root').add_child('a', task=body).build()",
        "lambda: TreeBuilder('root').add_child('a', task=body)",
        "__import__('functools').partial(lambda task: TreeBuilder('root').add_child('a', task=task), body)",
    ],
)
def test_tree_builder_and_function_are_run(project: Project, made: str) -> None:
    """Everything that can be a target is one."""
    project.write(
        "app.py",
        f"""
        from treetask import TreeBuilder

        async def body(node):
            print("ran", node.id)

        made = {made}
        """,
    )

    outcome = project.treetask("app:made", "--display", "quiet")

    assert (outcome.code, outcome.out, outcome.err) == (0, "ran a\n", "")


def test_cycle_is_told_before_anything_runs(project: Project) -> None:
    """Exit code 2, the cycle printed."""
    project.write(
        "app.py",
        """
        from treetask import TreeBuilder

        tree = TreeBuilder("root").add_child("a", depends_on=["b"]).add_child("b", depends_on=["a"])
        """,
    )

    assert project.treetask("app:tree").refusal == [
        "treetask: 'a' depends on itself: a -> b -> a; remove one of these dependencies"
    ]


def test_attribute_that_raises_is_told(project: Project) -> None:
    """A module may make its names when they are asked for."""
    project.write("app.py", "def __getattr__(name):\n    raise RuntimeError('no configuration')\n")

    assert project.treetask("app:tree").refusal == [
        "treetask: 'tree' of app:tree raised RuntimeError",
        "  app.py:2 in __getattr__",
        "    raise RuntimeError('no configuration')",
        "  RuntimeError: no configuration",
    ]


def test_tree_that_has_run_is_told(project: Project) -> None:
    """A module that runs its own tree leaves nothing to run."""
    project.write(
        "app.py",
        """
        import anyio
        from treetask import AsyncExecutor, TreeBuilder

        tree = TreeBuilder("once").build()
        anyio.run(AsyncExecutor(tree).run)
        """,
    )

    message = "treetask: node 'once' is already done; call tree.reset() before the run"
    assert project.treetask("app:tree").refusal == [message]


def test_wrong_config_is_told(project: Project) -> None:
    """What the pipeline's own config says is checked before anything runs."""
    project.write(
        "app.py",
        """
        from treetask import TreeBuilder, TreeTaskConfig

        tree = TreeBuilder("root", config=TreeTaskConfig(max_concurrency=0))
        """,
    )

    assert project.treetask("app:tree").refusal == [
        "treetask: TreeTaskConfig: max_concurrency is 0; expected at least 1; None means no limit"
    ]
