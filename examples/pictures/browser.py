"""Photographs a page: what both scripts for the README's pictures end with."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def photograph(page: Path, picture: Path, width: int, height: int, *options: str) -> None:
    """Let Chromium or Chrome draw a page of that size, in its own pixels, into a file."""
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser is None:
        sys.exit(f"found none of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(  # noqa: S603 - a command of ours
            [
                browser,
                *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
                *("--hide-scrollbars", f"--user-data-dir={profile}", f"--window-size={width},{height}", *options),
                *(f"--screenshot={picture.resolve()}", page.as_uri()),
            ],
            check=True,
            capture_output=True,
        )
    print(f"{picture}: {picture.stat().st_size / 1e3:.0f} KB")
