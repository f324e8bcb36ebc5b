"""Scanner: waits until each filed file is there, complete and quiet; finds what nobody filed.

Hears FilesFiled, ObservationFinished and FilesRefused of its own site, file-system notifications, and the clock.
Looks at the files on the site's SOURCE disks, never into them, and follows no link. Says FilesScanned,
FilesMissing and FilesUnfiled.

Invariants, and the traps behind them:
- A message is acknowledged while its files may still be growing: what is looked for lives in memory (`watchlist`)
  and comes back from ops-db (`recovery`), which is asked only once it has applied all that was in the log.
- Instruments' clocks and modification times lie. A file is quiet when we saw no change for long enough on the
  monotonic clock, or at once when its modification time says so and is not in the future.
- Notifications are a convenience: they may be lost, late or unavailable. The sweep finds everything.
- An unchanged file that is announced a second time needs an event of another identity: its `after`.
"""
