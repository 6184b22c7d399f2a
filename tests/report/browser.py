"""A headless Chromium, driven through its own driver: the W3C WebDriver protocol, over HTTP on 127.0.0.1.

Knows nothing of reports. Whatever it starts is ended with it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

CHROMIUMS = ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--force-color-profile=srgb"),
)
DEADLINE = 30
#: Of the left button.
DOWN, UP = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
#: What a script returns, and what the protocol answers.
Json: TypeAlias = Any
#: The keys that the protocol has no letters for.
KEYS = {
    "Down": "\ue015",
    "Up": "\ue013",
    "Left": "\ue012",
    "Right": "\ue014",
    "Home": "\ue011",
    "End": "\ue010",
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "Space": " ",
}


def missing() -> str | None:
    """Why there is no browser to drive; None where there is one."""
    for what, names in (("Chromium or Chrome", CHROMIUMS), ("chromedriver", DRIVERS)):
        if _program(names) is None:
            return f"needs {what} on PATH: {', '.join(names)}"
    return None


class Browser:
    """One window of a browser of its own."""

    def __init__(self, address: str, session: str) -> None:
        self._address = f"{address}/session/{session}"

    def open(self, page: Path) -> None:
        """Open a file and wait until its script has run."""
        _post(f"{self._address}/url", {"url": page.absolute().as_uri()})

    def run(self, script: str, *arguments: object) -> Json:
        """Run a script as the body of a function in the page, and return what it returns."""
        return _post(f"{self._address}/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script: str, *arguments: object) -> Json:
        """Run a script which calls its last argument with what it has found."""
        return _post(f"{self._address}/execute/async", {"script": script, "args": list(arguments)})

    def until(self, script: str) -> Json:
        """Return what an expression in the page comes to, once that is true."""
        deadline = time.monotonic() + DEADLINE
        while not (found := self.run(f"return {script}")):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not in {DEADLINE} s: {script}")
            time.sleep(0.02)
        return found

    def press(self, *keys: str) -> None:
        """Press keys, one after the other: letters, or names as in `KEYS`."""
        actions = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keys", "actions": actions})

    def click(self, x: float, y: float) -> None:
        """Click at a place in the window."""
        self._act(self._pointer(self._move(x, y), DOWN, UP))

    def drag(self, x: float, y: float, to_x: float) -> None:
        """Drag from one place to another one beside it."""
        moves = (self._move(x, y), DOWN, self._move((x + to_x) / 2, y), self._move(to_x, y))
        self._act(self._pointer(*moves, UP))

    def wheel(self, x: float, y: float, by: int) -> None:
        """Turn the wheel at a place in the window."""
        action = {"type": "scroll", "x": round(x), "y": round(y), "deltaX": 0, "deltaY": by, "duration": 0}
        self._act({"type": "wheel", "id": "wheel", "actions": [action]})

    def resize(self, width: int, height: int, *, scale: float = 1) -> None:
        """Give the page a size."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """Let the person prefer `light` or `dark`."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.command("Emulation.setEmulatedMedia", {"features": [feature]})

    def command(self, name: str, parameters: Mapping[str, object]) -> Json:
        """Give a command of the DevTools protocol."""
        return _post(f"{self._address}/goog/cdp/execute", {"cmd": name, "params": parameters})

    def messages(self) -> list[str]:
        """What the console has said that is no mere information, since it was last asked."""
        entries = _post(f"{self._address}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] not in {"INFO", "DEBUG"}]

    def requests(self) -> list[str]:
        """The addresses that a page from a file has asked for, itself among them, since it was last asked."""
        entries = _post(f"{self._address}/se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in entries]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def picture(self) -> bytes:
        """The window, as PNG."""
        return base64.b64decode(_call("GET", f"{self._address}/screenshot"))

    def _act(self, source: Mapping[str, object]) -> None:
        _post(f"{self._address}/actions", {"actions": [source]})

    def _pointer(self, *actions: Mapping[str, object]) -> dict[str, object]:
        return {"type": "pointer", "id": "mouse", "actions": actions, "parameters": {"pointerType": "mouse"}}

    def _move(self, x: float, y: float) -> dict[str, object]:
        return {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0}


@contextmanager
def browser() -> Generator[Browser]:
    """Start a browser, and end it with all that belongs to it."""
    with tempfile.TemporaryDirectory(prefix="treetask-browser-", ignore_cleanup_errors=True) as folder:
        with _driver(Path(folder)) as address:
            options = {
                "binary": _program(CHROMIUMS),
                "args": [*FLAGS, f"--user-data-dir={folder}/profile", "--window-size=1280,800"],
            }
            wanted = {
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                "timeouts": {"script": DEADLINE * 1000, "pageLoad": DEADLINE * 1000},
            }
            session = _post(f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
            window = Browser(address, session)
            try:
                # The page that a new browser shows loads much, and goes on doing so behind ours.
                _post(f"{address}/session/{session}/url", {"url": "about:blank"})
                window.requests()
                yield window
            finally:
                with suppress(OSError):
                    _call("DELETE", f"{address}/session/{session}")


@contextmanager
def _driver(folder: Path) -> Generator[str]:
    """Start the driver, in a group of its own with the browser that it starts."""
    program = _program(DRIVERS)
    assert program is not None
    said = folder / "driver.log"
    with said.open("wb") as output:
        driver = subprocess.Popen(
            [program, "--port=0"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=sys.platform != "win32",
        )
    try:
        yield f"http://127.0.0.1:{_port(driver, said)}"
    finally:
        if sys.platform == "win32":
            driver.terminate()
        else:
            with suppress(ProcessLookupError):
                os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()


def _port(driver: subprocess.Popen[bytes], said: Path) -> int:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline and driver.poll() is None:
        found = re.search(rb"started successfully on port (\d+)", said.read_bytes())
        if found is not None:
            return int(found[1])
        time.sleep(0.02)
    raise OSError(f"the driver did not start: {said.read_text(errors='replace')}")


def _program(names: tuple[str, ...]) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def _post(address: str, body: Mapping[str, object]) -> Json:
    return _call("POST", address, body)


def _call(method: str, address: str, body: Mapping[str, object] | None = None) -> Json:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"}, method=method)
    # No proxy stands between this machine and itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=2 * DEADLINE) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise OSError(f"{method} {address}: {json.load(error)['value']['message']}") from None
