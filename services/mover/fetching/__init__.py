"""Fetching: the bytes of observation assets that are still where a telescope's node wrote them.

Hears AssetTransferRequested; says AssetTransferStarted, how far it is, and how it ended. What failed is requested again
after a while, and not for ever.

Invariants:
    1. One instance fetches the bytes of an asset: it holds a lease on the bus, by which a successor knows that whoever
       had it before is gone, and one in the log, which tells everybody else. A lease that expired is failed.
    2. Nothing is said but on the newest state of the asset, under a guard: a kill between two lines, a repeat or a
       second instance makes no second start, and no second completion.
    3. Bytes go where a repeat finds them, and go on there. They are read back, and only those of the declared size and
       checksum complete a transfer.
    4. A disk that is away is waited for, without an attempt. What is canceled meanwhile is left as it is.
    5. No path leads out of its location.
"""
