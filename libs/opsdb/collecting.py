"""Python's garbage collector, where events are folded."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sparing_the_collector() -> Iterator[None]:
    """Keep Python's cyclic garbage collector from searching what lives as long as the process.

    Folding makes many short-lived objects and no cycles; the default thresholds cost a fifth of the speed.
    What garbage there is at the beginning stays until the end: it is little, and looking for it takes long.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


@contextmanager
def without_the_collector() -> Iterator[None]:
    """Keep it from running by itself at all, where whoever folds calls `gc.collect` when little is in memory.

    A batch of ten thousand events is a million objects, and each time the collector runs it looks at most of them.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
