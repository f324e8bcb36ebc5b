"""The event log in the archive: a chain of segments for each stream, exported, verified and restored.

``<prefix><folder>/<stream>/segments/<first>-<last>-<sha256>.jsonl.gz`` and ``.../heads/<last>-<sha256>.json``.

Invariants, and the traps behind them:
- A segment is named for its own SHA-256 and names the one before it: objects are only ever added, and no two
  contents share a name. Conditional writes alone would not do: Swift lets several of them through at once.
- The newest head (the one that reaches furthest) says which chain counts. Two exporters at once may fork it; the
  newer head wins, and the other's segment stays beside the chain and does no harm.
- A head is written only after its segment was read back. Killed in between, the next export takes the segment over
  once it has compared it with the stream.
- Times are told, not compared: a restored stream has the sequences, subjects, headers and bodies of the old one, but
  the server stamps it with the time of the restore. ``Nats-Expected-…`` headers are not compared either: the server
  leaves them out of mirrors.
"""
