"""How much a service does at once: a fixed limit, or one that follows the load as Azure Functions has it.

slots.py      places for work in hand, against a limit
tuner.py      what the limit should be; pure
load.py       CPU, memory and event-loop lag of this process and its children
snapshot.py   what was learned, kept in a blob
dynamic.py    ties them together: `open_slots`
"""

from heliograph.concurrency.dynamic import open_slots
from heliograph.concurrency.slots import Slot, Slots

__all__ = ["Slot", "Slots", "open_slots"]
