"""Makes the README's picture of a report: of a real run, photographed by a browser.

    python examples/pictures/report.py examples/pictures/report.png

Needs Chromium or Chrome.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def main() -> None:
    """Run, photograph, leave."""
    parser = argparse.ArgumentParser(description="Make the README's picture of a report.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--size", default="1180x1420", help="width and height of the page, in its own pixels")
    chosen = parser.parse_args()
    width, height = map(int, chosen.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        command = [
            sys.executable,
            "-m",
            "treetask",
            "nightly.py:tree",
            "--no-store",
            "--display",
            "quiet",
            "--report",
            str(page),
        ]
        # It fails, as it should.
        subprocess.run(command, check=False, cwd=HERE, capture_output=True)  # noqa: S603 - a command of ours
        photograph(page, chosen.picture, width, height)


def photograph(page: Path, picture: Path, width: int, height: int) -> None:
    """Let a browser draw a page into a file."""
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser is None:
        sys.exit(f"found none of {', '.join(BROWSERS)}")
    subprocess.run(  # noqa: S603 - a command of ours
        [
            browser,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={page.parent}/profile", f"--window-size={width},{height}"),
            *(f"--screenshot={picture.resolve()}", page.as_uri()),
        ],
        check=True,
        capture_output=True,
    )
    print(f"{picture}: {picture.stat().st_size / 1e3:.0f} KB")


if __name__ == "__main__":
    main()
