"""Circuit breakers: one per storage location and per route, shared by all instances of a site's services.

While a breaker is open, work for it is postponed and burns no attempt; after a pause one instance tries for all.

Invariants, and the traps behind them:
- Only faults of the resource itself open its breaker (`Resource.faults`): a full buffer says nothing of the archive.
- One probe at a time: whoever moves the record from open to half-open has it (compare and set), and keeps it only
  while it renews it: a probe that dies is another instance's after `probe_s`.
- No clock of another machine is trusted: a pause is measured from when the record was first seen here; the server's
  time of the record can only shorten it.
- The bucket may be lost: every breaker is then closed, and opens again by itself.

Written here because the libraries for asyncio (aiobreaker, purgatory) share their state without compare and set, and
let every caller through while half-open.
"""
