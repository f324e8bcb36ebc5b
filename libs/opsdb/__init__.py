"""The ops-db: a projection of the log into PostgreSQL, one per site.

`models` says which tables there are, `migrations` makes them, `projection` folds events into them (the
projector alone does), `reader` is everybody else's way in, and `rebuild` proves that the tables equal the log.

Invariants:
    1. Whatever the interleaving of the sites' streams, and however they are cut into batches, the tables
       come out the same: a column is written by events of one stream, or merged by a policy for which order
       does not matter (`projection.policies`).
    2. Positions are stored in the transaction of the effects that they stand for.
    3. One projector writes: it holds an advisory lock of PostgreSQL on the connection that it writes with. Who takes
       it from a predecessor ends that one's session: a paused projector that wakes has none to write with.
    4. Every instant in a row comes from the log, none from a clock of the database.
"""
