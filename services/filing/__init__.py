"""Filing: instruments say that an observation began, which files are its, and that it ended; telescope nodes say
which tasks, assets and cameras there are, and what happens to tasks.

Hears requests over HTTP and over NATS request/reply. Checks each against the deployment and against what was
filed before, stores what it accepts, and answers: accepted with ids, or refused with code, reason and remedy.
Says ObservationStarted, ExposureNamed, FilesFiled and ObservationFinished; whatever is said of tasks,
AssetRegistered, AssetTransferRequested and CameraRegistered.

Invariants, and the traps behind them:
- The answer follows the stored event. Whoever got none may repeat the request: the same again is `repeated`.
- Decisions rest on ops-db *and* on the filing events that ops-db has not applied yet (`overlay`).
- Every event is stored only if no other filing event came after those the decision knew. The server checks this
  before it looks for duplicates, so a repeat after a lost acknowledgement is a conflict, not a duplicate.
- What is said of a task, asset or camera has the id of its request as its cause: a repeat is known by it, whatever was
  said since.
- A long list is stored in parts, each guarded: what another instance stores in between is seen before the next.
"""
