"""A storm over the whole stack: load, faults by a seeded script, and the truth to hold the result to.

script.py   which faults strike when; pure
strikes.py  plays them: signals, the local Azure's fault ports, stolen links, cut networks, wrong clocks
network.py  a namespace for each replica, whose cable can be pulled
clocks.py   a clock for each replica, which can be set
world.py    what the sources produce: the fleet that ingest simulates, and plants that push; functions of seed and time
truth.py    what Cosmos DB must hold, by Polars from what was produced, and how it differs
alerts.py   the alerts that a run without faults gives, by the analyzer's pure core
photos.py   photos dropped, good and broken, and what became of each
watch.py    how long readings take to become documents, how soon each fault is over, how memory grows
stack.py    the stack under test
"""
