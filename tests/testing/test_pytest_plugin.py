"""The pytest plugin, as other projects have it: with anyio's plugin and without, with trio and without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import treetask.testing
from treetask.testing import RecordedResult, TreeTaskRun, VirtualClock, pytest_plugin

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent.parent

# A pytest in this process forgets what it was the first to import.
LOADED = (RecordedResult, TreeTaskRun, VirtualClock)

PATIENT = """
    import anyio, pytest
    from treetask import Registry

    tree = Registry("nightly")

    @tree.task
    async def wait(days: float) -> str:
        await anyio.sleep(days * 86_400)
        return "waited"
"""

ASYNC_TESTS = """
    @pytest.mark.anyio
    async def test_of_a_day(virtual_clock):
        await anyio.sleep(86_400)
        assert virtual_clock.now() == 86_400

    @pytest.mark.anyio
    async def test_of_a_run(virtual_clock, treetask_run):
        await anyio.sleep(86_400)
        result = await treetask_run.async_(wait, 2)
        assert (result.value, virtual_clock.now()) == ("waited", 3 * 86_400)
"""

SYNC_TEST = """
    def test_of_a_run(virtual_clock, treetask_run):
        for _ in range(2):
            assert treetask_run(wait, 2).value == "waited"
            assert virtual_clock.now() == 2 * 86_400
"""


@pytest.fixture(autouse=True)
def only_named_plugins(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """No plugin is loaded because it is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\nfilterwarnings = error")


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    """Run the tests that were written, in this process, with our plugin and those that `words` name."""
    return pytester.runpytest_inprocess(*words, plugins=[pytest_plugin])


def test_pytest_finds_the_plugin() -> None:
    """The package says where it is, and by which name `-p no:treetask` leaves it out."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["entry-points"]["pytest11"] == {"treetask": "treetask.testing.pytest_plugin"}


def test_plugin_alone_loads_nothing() -> None:
    """Every test run of everybody who has TreeTask installed loads it."""
    code = (
        "import sys, treetask.testing.pytest_plugin;"
        "print(*sorted(name for name in sys.modules if name.startswith(('treetask', 'anyio', 'asyncio', 'trio'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=25, check=False
    )

    assert (done.returncode, done.stdout.split()) == (
        0,
        ["treetask", "treetask.testing", "treetask.testing.pytest_plugin"],
    )


def test_async_tests_run_on_both_loops(pytester: pytest.Pytester) -> None:
    """The whole test has virtual time, and what is run in it the same clock."""
    pytester.makepyfile(PATIENT + ASYNC_TESTS)

    result = run(pytester, "-p", "anyio", "-v")

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines_random(["*test_of_a_run?asyncio? PASSED*", "*test_of_a_run?trio? PASSED*"])


def test_plain_tests_need_no_other_plugin(pytester: pytest.Pytester) -> None:
    """`def` tests run a pipeline where no plugin for async tests is active; each run begins at 0."""
    pytester.makepyfile(PATIENT + SYNC_TEST)

    run(pytester).assert_outcomes(passed=1)


def test_plain_test_runs_on_the_loop_that_it_asks_for(pytester: pytest.Pytester) -> None:
    """A fixture `anyio_backend`, with options or without, says on which loop."""
    pytester.makepyfile(
        """
        import pytest, which_loop as here
        from treetask import Registry

        tree = Registry("nightly")

        @tree.task
        async def loop() -> str:
            return here.running()

        @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio", ("asyncio", {"use_uvloop": False})])
        def test_of_a_run(anyio_backend, treetask_run):
            name = anyio_backend if isinstance(anyio_backend, str) else anyio_backend[0]
            assert treetask_run(loop).value == name
        """,
        which_loop="""
        import asyncio, trio

        def running():
            return "trio" if trio.lowlevel.in_trio_run() else "asyncio" if asyncio._get_running_loop() else None
        """,
    )

    run(pytester).assert_outcomes(passed=3)


def test_trio_is_not_needed(pytester: pytest.Pytester) -> None:
    """Where trio is not installed, asyncio has it all."""
    pytester.makeconftest(
        """
        import sys, pytest

        sys.modules["trio"] = None

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
        """
    )
    pytester.makepyfile(test_async=PATIENT + ASYNC_TESTS, test_sync=PATIENT + SYNC_TEST)

    result = pytester.runpytest_subprocess("-p", "treetask.testing.pytest_plugin", "-p", "anyio")

    result.assert_outcomes(passed=3)


def test_fixtures_of_the_test_keep_the_time_of_the_world(pytester: pytest.Pytester) -> None:
    """The clock governs the test alone, and each one begins at 0."""
    pytester.makepyfile(
        """
        import anyio, pytest

        @pytest.fixture
        async def before():
            began = anyio.current_time()
            yield began
            assert anyio.current_time() - began < 60

        @pytest.mark.anyio
        @pytest.mark.parametrize("turn", [1, 2])
        async def test_of_a_day(turn, before, virtual_clock):
            assert anyio.current_time() == 0
            await anyio.sleep(86_400)
        """
    )

    run(pytester, "-p", "anyio").assert_outcomes(passed=4)


def test_plain_call_in_an_async_test_is_refused(pytester: pytest.Pytester) -> None:
    """A loop runs already; the message has the other form."""
    pytester.makepyfile(
        """
        import re, pytest
        from treetask import Registry
        from treetask.testing import VirtualClockError

        MESSAGE = (
            "treetask_run(...) starts an event loop of its own, and one is running; "
            "write: await treetask_run.async_(...)"
        )

        @pytest.mark.anyio
        async def test_of_a_run(treetask_run):
            with pytest.raises(VirtualClockError, match=f"^{re.escape(MESSAGE)}$"):
                treetask_run(Registry("nightly"))
        """
    )

    run(pytester, "-p", "anyio").assert_outcomes(passed=2)


def test_names_of_the_package_are_loaded_when_used() -> None:
    """A name that is not there is an AttributeError, as in other modules."""
    name = "Recorde"
    with pytest.raises(AttributeError, match=r"^module 'treetask\.testing' has no attribute 'Recorde'$"):
        getattr(treetask.testing, name)
