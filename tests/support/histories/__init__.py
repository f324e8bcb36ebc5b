"""Made-up logs of two sites, plausible in every order of events: for tests and benchmarks of the projection.

`road.road` tells one observation from its filing to the archive and back; `logs.log` interleaves many.
"""
