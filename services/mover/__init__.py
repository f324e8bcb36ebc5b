"""The mover: a bundle's packages go from buffer to buffer, one hop.

Hears BundleSealed at a route's origin and BundleForwarded at its relays; says TransferStarted, chooses the hop and
the engine, moves every package, resuming where an earlier try stopped; says TransferCompleted when all that can be
moved are whole at the other end, or TransferFailed when it gives up (and keeps the bundle as a dead letter).
Besides, it fetches the bytes of observation assets (`services.mover.fetching`).

Invariants:
    1. A lost package keeps no other one of its bundle from being moved and verified: the verifier finds that it is
       missing, and has it alone sent again, or built anew from SOURCE.
    2. What stands at the destination whole is not moved again, unless its bytes are found wrong in a repair.
    3. What was completed before is not moved again: buffers may have been cleared since. While ops-db, which knows
       it, is away, bytes move all the same.
    4. A mover that was paused while a successor did its work gives no package a name any more, nor gives a bundle up.
    5. A disk that is away is waited for: it never makes a package count as lost.
"""
