"""A package that was told of by half: its files as packaged, but killed before it was said to be sealed.

Nothing leads a file back from there: if it can be built neither from what stands in the BUFFER nor from SOURCE, to refuse
its files would leave them in a package that was given up, and nobody would look for them again.
"""

from collections.abc import Sequence

from contracts.packages import PackagePlanned
from contracts.subjects import events_stream
from libs.bus.guard import Guard
from libs.errors import Permanent, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.packaging import BadFile, FileFault
from services.packager import queries

REMEDY = (
    "Put the files back to SOURCE as they were scanned, or a whole copy of the package to its place in the BUFFER, and "
    "send the dead letter again. What stands in SOURCE instead stays there: file it under a name of its own."
)


class HalfSaid:
    """Knows of which files it was said that they are packaged.

    Args:
        opsdb: The site's ops-db.
        packaged: The guard of FilesPackaged.
        site: The site.
    """

    def __init__(self, *, opsdb: OpsDbReader, packaged: Guard, site: str) -> None:
        self._opsdb = opsdb
        self._packaged = packaged
        self._stream = events_stream(site)

    async def require_unsaid(self, plan: PackagePlanned, bad: Sequence[BadFile]) -> None:
        """Files may be refused only if nobody said that they are packaged.

        Raises:
            Permanent: ``packaged_files_lost``: it was said, and their bytes are nowhere.
            Retriable: ``source_unreadable``: it was said, and SOURCE does not show its bytes now.
        """
        await self._opsdb.wait_applied(self._stream, await self._packaged.last_sequence())
        known = await queries.sealed_files(self._opsdb, plan.package_id)
        said = [one for one in bad if one.path in known.ids]
        if not said:
            return
        first = f"{said[0].path!r}: {said[0].found}"
        if all(one.code is FileFault.FILE_UNREADABLE for one in said):
            raise Retriable(
                "source_unreadable",
                f"{len(said)} files of {plan.name} cannot be read in SOURCE, {first}",
                "Check the disk and the rights of the service's user; it is tried again by itself.",
            )
        raise Permanent(
            "packaged_files_lost",
            f"{plan.name} was written and is not whole in the BUFFER any more, and {len(said)} of its "
            f"{plan.file_count} files in SOURCE are not what was packaged, {first}",
            REMEDY,
        )
