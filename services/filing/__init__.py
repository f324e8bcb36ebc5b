"""Filing: instruments say that an observation began, which files are its, and that it ended.

Hears requests over HTTP and over NATS request/reply. Checks each against the deployment and against what was
filed before, stores what it accepts, and answers: accepted with ids, or refused with code, reason and remedy.
Says ObservationStarted, ExposureNamed, FilesFiled and ObservationFinished.

Invariants, and the traps behind them:
- The answer follows the stored event. Whoever got none may repeat the request: the same again is `repeated`.
- Decisions rest on ops-db *and* on the filing events that ops-db has not applied yet (`overlay`).
- Every event is stored only if no other filing event came after those the decision knew. The server checks this
  before it looks for duplicates, so a repeat after a lost acknowledgement is a conflict, not a duplicate.
- A long list is stored in parts, each guarded: what another instance stores in between is seen before the next.
"""
