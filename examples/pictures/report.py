"""Makes the README's picture of a report: of a real run, photographed by a browser.

    python -m examples.pictures.report examples/pictures/report.png

Needs Chromium or Chrome.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from examples.pictures.browser import photograph

HERE = Path(__file__).resolve().parent


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


if __name__ == "__main__":
    main()
