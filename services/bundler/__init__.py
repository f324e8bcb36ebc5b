"""The bundler: sealed packages are put on lists that travel together.

Hears PackageSealed, TransferCompleted and TransferFailed of its own site, and a clock; closes a bundle when the
route is idle, the bundle is large enough, or its oldest package has waited long enough; says BundleSealed. Hears
PackageCorrupted of other sites; sends the one damaged package again, alone, a limited number of times.
"""
