"""`python -m treetask`: the same as the script `treetask`."""

from __future__ import annotations

import sys

from treetask.cli import main

if __name__ == "__main__":
    sys.exit(main())
