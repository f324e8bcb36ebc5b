"""The stager: archived data comes back to a PROCESSING location.

Hears StagingRequested, from any site, for locations of its own; finds which archived packages hold what was
asked for, reads each from the archive as a stream, proves every byte of it and puts the instrument's files,
with their own paths and times, into the job's folder. Says PackageStaged as each package is there, then
StagingCompleted; or StagingFailed, with the reason. A clock says StagingReleased of jobs whose time is up.
"""
