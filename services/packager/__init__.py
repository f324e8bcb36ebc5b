"""The packager: an observation's files become packages in the first BUFFER.

Hears FilesScanned, FilesMissing, ObservationFinished and PackageAbandoned; chooses which files travel together,
while the observation goes on only if they fill a package, afterwards whatever is left; says FilesAssigned and
PackagePlanned. Hears PackagePlanned; reads each file once, and writes and hashes the tar in that pass; says
FilesPackaged and PackageSealed, or, if files changed meanwhile, FilesRefused and PackageAbandoned. Hears
CopyScrubbed; builds a package anew that was found damaged in the BUFFER it was sealed in; says CopyRepaired, or
CopyUnrepairable if SOURCE cannot give the same package again.
"""
