"""The mover: a bundle's packages go from buffer to buffer, one hop.

Hears BundleSealed at a route's origin and BundleForwarded at its relays; says TransferStarted, chooses the hop and
the engine, moves every package, resuming where an earlier try stopped; says TransferCompleted when all of them are
whole at the other end, or TransferFailed when one never will be (and keeps the bundle as a dead letter).

Invariants:
    1. A bundle completes whole or not at all; one bad package does not keep the others from being moved.
    2. What stands at the destination whole is not moved again, unless its bytes are found wrong in a repair.
    3. What was completed before is not moved again: buffers may have been cleared since. While ops-db, which knows
       it, is away, bytes move all the same.
    4. A mover that was paused while a successor did its work gives no package a name any more, nor gives a bundle up.
    5. A disk that is away is waited for: it never makes a package count as lost.
"""
