"""The verifier: what arrived is read once, and each package is either right or sent for again.

Hears TransferCompleted of other sites, for its own site's BUFFERs; reads every package once: its size and sha256,
and every file in it against the manifest; says PackageVerified or PackageCorrupted for each, and BundleReceived
when all are read (BundleForwarded at a relay). Clears away damaged arrivals that were set aside long ago.

Reads what the site's archives hold again, by bytes, the copy that was unread for longest first, at the rate of each
archive; says CopyScrubbed for each. One instance at a time scrubs an archive. BUFFERs are not scrubbed: what lies
there stays for hours or days, and every use of it reads and proves it.

Invariants:
    1. Only bytes that were read, or a file that is not there on a disk that is, are held against a copy.
       A disk that is away or fails to read is waited for.
    2. A damaged arrival is moved aside only after the repair was asked for, and only if it still is the file
       that was read: the repaired one may stand there by then.
"""
