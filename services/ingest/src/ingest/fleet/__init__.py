"""A simulated national fleet: plants on Korean land, under one sky, with faults that only the labels know of.

Everything is a function of (seed, plants, time): a restart goes on where it was, and any hour can be computed again.
"""
