"""Where time comes from. Nothing else in the package reads a clock.

Stamps are seconds on a monotonic clock. While a run lasts they are the event loop's own time, so that a virtual clock
governs deadlines, stamps and display alike.
"""

from __future__ import annotations

import time
from typing import Final

#: Seconds on a clock that never goes back; its zero means nothing.
monotonic: Final = time.monotonic
#: Seconds since the epoch, for people and logs only.
wall: Final = time.time
#: Seconds that this process has computed, on all CPUs; they stand still while it does.
cpu: Final = time.process_time
