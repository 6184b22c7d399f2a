"""What all tests share: each async test runs on asyncio and on trio, and one that hangs fails by its name on either."""

from __future__ import annotations

import functools
import gc
import inspect
import signal
import threading
from collections.abc import Callable, Coroutine, Generator

import pytest
import trio

from treetask.testing import pytest_plugin

pytest_plugins = ["pytester"]

Backend = tuple[str, dict[str, object]]

BACKENDS: list[Backend] = [
    # Not uvloop, whether installed or not: tests mean the loop that every user has.
    ("asyncio", {"use_uvloop": False}),
    ("trio", {}),
]

SHARE_OF_TIMEOUT = 0.8
"""A trio test is cancelled before its timeout, so that there is time left to end in order."""


@pytest.fixture(scope="module", params=BACKENDS, ids=[name for name, _ in BACKENDS])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    """Backend and options for anyio's pytest plugin."""
    backend: Backend = request.param
    return backend


def pytest_configure(config: pytest.Config) -> None:
    """Have our own plugin also where what is installed is older than this checkout and does not name it.

    And signals that do something: a script that starts the tests in its background has them ignored, as `nohup` does,
    and so would every command that a test starts.
    """
    for name in ("SIGINT", "SIGHUP", "SIGTERM", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
    if not config.pluginmanager.is_registered(pytest_plugin):
        config.pluginmanager.register(pytest_plugin, "treetask")


@pytest.fixture(autouse=True)
def _usual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have output look the same wherever tests run; those of builds and colours say themselves what is set."""
    for name in (
        "CI",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "NO_COLOR",
        "FORCE_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop() -> Generator[None, object, object]:
    """Keep the garbage collector from what was imported and collected, which it would go through again and again."""
    gc.collect()
    gc.freeze()
    try:
        return (yield)
    finally:
        gc.unfreeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run the body of a trio test under a deadline of its own.

    anyio's runner hosts trio as a guest. The alarm of a timeout is raised in the host, where it does not reach the
    test, and the runner then waits for the test for ever.
    """
    body = pyfuncitem.obj
    timeout = timeout_of(pyfuncitem)
    if pyfuncitem.funcargs.get("anyio_backend") in BACKENDS[1:] and timeout and inspect.iscoroutinefunction(body):
        pyfuncitem.obj = cancelled_after(timeout * SHARE_OF_TIMEOUT, body)
    return (yield)


def timeout_of(test: pytest.Function) -> float:
    """The timeout that pytest-timeout goes by: of the marker, else of the command line, else of the configuration."""
    marker = test.get_closest_marker("timeout")
    if marker is not None and marker.args:
        return float(marker.args[0])
    option: float | None = test.config.getoption("timeout")
    return float(test.config.getini("timeout")) if option is None else option


def cancelled_after(
    seconds: float, body: Callable[..., Coroutine[object, object, None]]
) -> Callable[..., Coroutine[object, object, None]]:
    """The same test, cancelled and failed when it takes longer; by a thread, as the loop's clock may be virtual."""

    @functools.wraps(body)
    async def body_in_scope(**arguments: object) -> None:
        token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as scope:
            timer = threading.Timer(seconds, token.run_sync_soon, [scope.cancel])
            timer.start()
            try:
                await body(**arguments)
            finally:
                timer.cancel()
                timer.join()
                if scope.cancel_called:
                    pytest.fail(f"cancelled after {seconds:g} s; the exception above shows where the test was")

    return body_in_scope
