"""Pictures of observation assets: made anew after changes, gathered, one run of an asset at a time.

Looks, under a lease of the site, which marks are old enough; says RunQueued, RunStarted, RunCompleted (which swaps
thumbnail, preview and current run together), RunFailed (which keeps the old ones, and waits longer each time, and not
for ever) and RunReturned (of a run whose renderer was lost). Hears RenderMarked: a mark that was said at the very moment
of a run's event, and has its turn, is said again, so that none is lost. Rendering marks nothing.

Each run has picture files of its own, by its number. Those of earlier runs go once a run is current: whoever was paused
and wakes later removes only what is still older.
"""
