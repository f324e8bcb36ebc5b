"""The end of a history: everything has reached a terminal state, and nothing was lost on the way."""

import json
from collections.abc import Iterator

from contracts.files import CAME_BACK
from contracts.states import FileState, LocationType, PackageState
from contracts.subjects import events_stream
from libs.opsdb.decoding import decode
from libs.opsdb.projection.applying import Happening
from tests.simulation.invariants import Inspector, require
from tests.simulation.opsdb.tables import Row, Tables, differences, fold_singly
from tests.simulation.sites import TELESCOPE
from tests.simulation.storage.contents import Member, Tar
from tests.simulation.storage.disk import Node
from tests.simulation.story.truth import TrueFile, Truth
from tests.simulation.world import World


class Ending:
    """Asks whether a history is over, and whether it ended well.

    Args:
        world: What is left.
        truth: What it is held against.
        inspector: Knows what was said on the way.
    """

    def __init__(self, world: World, truth: Truth, inspector: Inspector) -> None:
        self._world = world
        self._truth = truth
        self._inspector = inspector

    # What is still to come

    def unfinished(self) -> Iterator[str]:
        """What has not reached a terminal state, in words."""
        yield from self._in_hand()
        yield from self._unarchived()
        yield from self._uncleared()
        yield from self._unmended()

    def cut_off(self) -> Iterator[str]:
        """Invariant 8: what a cut-off telescope has not done yet though it needs nobody for it."""
        tables = self._world.databases[TELESCOPE].tables
        for path, file in self._filed(tables):
            if self._is_there(path) and file["state"] not in {FileState.PACKAGED, FileState.REFUSED}:
                yield f"{path} is {file['state']}"
        for package in tables["raw_data_package"].values():
            waits = package["state"] == PackageState.WAITING and package["data_transfer_package_id"] is None
            if waits and self._travels():
                yield f"{package['name']} is in no bundle"

    def _is_there(self, path: str) -> bool:
        return any(disk.find(path) for disk in self._world.disks.values())

    def _travels(self) -> bool:
        return bool(self._world.deployment.routes)

    def _in_hand(self) -> Iterator[str]:
        if not self._world.mirrors.level:
            yield "a mirror is behind"
        for site, server in self._world.servers.items():
            for consumer in server.consumers.values():
                if not consumer.idle:
                    yield f"{consumer.name} has messages: {consumer.pending or 'not delivered yet'}"
            for name, stream in server.streams.items():
                applied = self._world.databases[site].tables.position(name)
                if name.startswith("EVENTS_") and applied < stream.last_sequence:
                    yield f"the ops-db of {site} has applied {name} up to {applied} of {stream.last_sequence}"

    def _unarchived(self) -> Iterator[str]:
        for site, database in self._world.databases.items():
            for path, file in self._filed(database.tables):
                package = database.tables["raw_data_package"].get((file["raw_data_package_id"],))
                archived = package is not None and package["state"] == PackageState.ARCHIVED
                if not archived and not self._is_excused(path, file, package):
                    yield f"{path} is {file['state']} at {site}, its package {package and package['state']}"

    def _filed(self, tables: Tables) -> Iterator[tuple[str, Row]]:
        for file in tables["raw_data_file"].values():
            if file["path"] is not None:
                yield str(file["path"]), file

    def _is_excused(self, path: str, file: Row, package: Row | None) -> bool:
        """Whether a person has to decide: the file never came, is not what was declared, or rotted on the way."""
        if self._truth.files[path].final is None:
            return True
        return package is not None and self._is_undeliverable(package)

    def _is_undeliverable(self, package: Row) -> bool:
        name = str(package["name"])
        return name in self._damaged_names() and any(name in reason for reason in self._letters())

    def _damaged_names(self) -> set[str]:
        at_rest = {path.rpartition("/")[2] for _, path in self._truth.damaged}
        return at_rest | self._inspector.notes.damaged_on_the_way

    def _letters(self) -> Iterator[str]:
        for server in self._world.servers.values():
            for letter in server.letters.messages:
                problem = json.loads(letter.headers.get("chasqui-dead-problem", "{}"))
                body = letter.data.decode(errors="replace")
                yield f"{problem.get('code')} {problem.get('reason')} {body}"

    def _unmended(self) -> Iterator[str]:
        """What rots in an archive is read there in time, and written anew from where it is whole."""
        for location, key in sorted(self._truth.rotten):
            content = self._world.archives[location].objects[key].content
            if not isinstance(content, Tar) or not content.whole:
                yield f"{key} is still damaged in {location}"

    def _uncleared(self) -> Iterator[str]:
        """What may go goes in the end: staging areas do not fill up."""
        for disk in self._world.disks.values():
            kind = self._world.deployment.disk(disk.location).type
            for path in sorted(disk.nodes):
                if self._should_go(kind, disk.location, path):
                    yield f"{path} is still in {disk.location}"

    def _should_go(self, kind: LocationType, location: str, path: str) -> bool:
        name = path.rpartition("/")[2]
        if name.startswith("."):
            return True
        match kind:
            case LocationType.PROCESSING:
                return True
            case LocationType.SOURCE:
                return self._is_archived_as_it_stands(location, path)
            case _:
                return name not in self._damaged_names()

    def _is_archived_as_it_stands(self, location: str, path: str) -> bool:
        node = self._world.disks[location].nodes[path]
        member = Member(path, node.size, node.mtime_ns, node.content, "", 0)
        held = [archive.location for archive in self._inspector.holders(member)]
        return len(held) == len(self._world.archives) and not self._is_known_to_be_back(location, path, node)

    def _is_known_to_be_back(self, location: str, path: str, node: Node) -> bool:
        """Whether a file was put back after it was cleared, and people were told: it is theirs by then."""
        tables = self._world.databases[TELESCOPE].tables
        return any(
            row["problem_code"] == CAME_BACK
            for row in tables["unfiled_file"].values()
            if (row["location"], row["path"], row["size"], row["mtime_ns"])
            == (location, path, node.size, node.mtime_ns)
        )

    # Whether it ended well

    def check(self) -> None:
        """Raise `Violated` if anything was lost, doubled or left behind."""
        self._check_files()
        self._check_letters()
        self._check_tables()

    def _check_files(self) -> None:
        for file in self._truth.files.values():
            if file.final is None or file.path not in self._truth.filed:
                continue
            self._check_kept(file)

    def _check_kept(self, file: TrueFile) -> None:
        """The last version is in every archive, or still where its instrument wrote it."""
        assert file.final is not None
        final = Member(file.path, file.final.size, file.final.mtime_ns, file.final.content, "", 0)
        held = list(self._inspector.holders(final))
        source = [disk.find(file.path) for disk in self._world.disks.values()]
        there = any(node is not None and node.content == file.final.content for node in source)
        require(held or there, "5", f"{file.path} is lost: no archive has it, nor is it in SOURCE")
        if not there:
            wanted = len(self._world.archives)
            require(len(held) == wanted, "5", f"{file.path} is in {len(held)} archives of {wanted}")
        packages = [key for key, tar in self._objects() if any(one.path == file.path for one in tar.members)]
        require(
            len(packages) <= len(self._world.archives), "2", f"{file.path} is archived in {sorted(packages)}"
        )

    def _objects(self) -> Iterator[tuple[str, Tar]]:
        for archive in self._world.archives.values():
            for key, found in archive.objects.items():
                if isinstance(found.content, Tar):
                    yield f"{archive.location}/{key}", found.content

    def _check_letters(self) -> None:
        """Every letter has its reason: a message nobody can read, or bytes that a fault has changed."""
        for server in self._world.servers.values():
            for letter in server.letters.messages:
                stream, _, place = letter.headers["chasqui-dead-origin"].rpartition(":")
                poison = (stream, int(place)) in self._truth.poison
                body = letter.data.decode(errors="replace")
                damaged = any(name in body for name in self._damaged_names())
                problem = letter.headers["chasqui-dead-problem"]
                require(poison or damaged, "6", f"a letter without a reason: {letter.subject} {problem}")
        for stream, sequence in self._truth.poison:
            origin = f"{stream}:{sequence}"
            known = any(
                letter.headers["chasqui-dead-origin"] == origin
                for server in self._world.servers.values()
                for letter in server.letters.messages
            )
            require(known, "6", f"{origin} can be read by nobody, and nobody kept it aside")

    def _check_tables(self) -> None:
        """Any interleaving of the streams gives the same tables: every site's own, and one that no site has seen."""
        backward = self._world.empty_tables()
        for site in reversed(self._world.servers):
            fold_singly(backward, self._log(site))
        for site, database in self._world.databases.items():
            found = differences(database.tables, backward)
            require(not found, "3", f"the ops-db of {site} is not the fold of the log: {found[:3]}")

    def _log(self, site: str) -> list[Happening]:
        server = self._world.servers[site]
        return decode(server.streams[events_stream(site)].messages).happenings
