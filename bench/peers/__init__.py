"""The peers' side of `bench.analyzer`; each module runs in an environment of its own."""
