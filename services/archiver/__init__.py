"""The archiver: verified packages go into the site's archives, and this is proven before it is said.

Hears PackageVerified of its own site, and PackageSealed where the instruments' site is the archive's own; uploads
the package and a sidecar of IVOA metadata to every active LONG_TERM_ARCHIVE of the site, proves each copy by what
the server says or by reading every byte back; says PackageArchived, once an archive. A copy that rotted
in the BUFFER since it was verified is sent for again: PackageCorrupted.

Hears CopyScrubbed; writes a damaged or missing archive copy anew from the first good copy there is, in a BUFFER here,
in another archive here, or in another site's; says CopyRepaired, or CopyUnrepairable, which is an alarm.

A clock adds what the event log has gained to every archive, as a chain of segments (`libs.eventlog`).

Invariants:
    1. PackageArchived is said only after a proof of this run, or of an earlier try of the same message.
    2. What an archive holds whole is not sent again; what it holds damaged is replaced from the BUFFER's copy.
    3. One archive that is away holds up no other one.
    4. Faults of a server or deployment are waited for; only faults of the package's bytes are permanent.
"""
