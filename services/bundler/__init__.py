"""The bundler: sealed packages are put on lists that travel together.

Hears PackageSealed, TransferCompleted and TransferFailed of its own site, and a clock; closes a bundle when the
route is idle, the bundle is large enough, or its oldest package has waited long enough; says BundleSealed. Hears
PackageCorrupted of other sites; reads the package here, and sends it again, alone, a limited number of times. If
the copy here is damaged, too, it says so (CopyScrubbed) and waits until the packager has built it anew, or, at a
relay, says PackageCorrupted to the site before. What cannot be sent is PackageFailed, and a dead letter.
"""
