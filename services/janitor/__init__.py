"""The janitor: deletes what is no longer needed, and says why it does not delete the rest.

Hears PackageArchived, StagingReleased and StagingFailed, from any site, and looks around by itself every few
seconds for what retention kept or a full disk needs. Asks `may_delete` with what ops-db knows, then the
archive and the disk, then `may_delete` again with what they answered. Says CopyDeleted and DeletionRefused.
Clears away what killed processes left behind and nobody came back for: tries at files, unfinished uploads.
"""
