"""Decisions about observation assets, tasks and cameras: pure, each of them one event, or none.

The tables in `contracts.skynet.states` say what may follow what; whatever they do not have is an IllegalStep.
"""
