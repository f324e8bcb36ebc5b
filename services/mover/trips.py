"""One bundle on one hop, and what is said of it: pure."""

from dataclasses import dataclass
from uuid import UUID

from contracts.bundles import BundleForwarded, BundleSealed
from contracts.problems import Problem
from contracts.transfers import MovedPackage, TransferCompleted, TransferFailed, TransferStarted, transfer_id
from libs.transfer.engine import Recovery, TransferReport
from services.mover.engines import EngineName
from services.mover.hops import Hop

Bundle = BundleSealed | BundleForwarded
SHOWN = 3


def locations_of(bundle: Bundle) -> frozenset[str]:
    """The BUFFERs that a bundle's packages lie in."""
    return frozenset(one.location for one in bundle.packages)


@dataclass(frozen=True, slots=True)
class Trip:
    """A bundle, the hop it makes, and by which engine.

    Attributes:
        bundle: What travels.
        origin: The site it leaves.
        hop: Where it arrives.
        engine: How.
    """

    bundle: Bundle
    origin: str
    hop: Hop
    engine: EngineName

    @property
    def id(self) -> UUID:
        """The transfer's id."""
        return transfer_id(self.bundle.bundle_id, self.hop.site)

    @property
    def origin_location(self) -> str:
        """The BUFFER it leaves from."""
        return self.bundle.packages[0].location

    def started(self) -> TransferStarted:
        """The work begins."""
        return TransferStarted(
            transfer_id=self.id,
            bundle_id=self.bundle.bundle_id,
            route=self.bundle.route,
            engine=self.engine.value,
            origin=self.origin,
            destination=self.hop.site,
            origin_location=self.origin_location,
            location=self.hop.location,
            size=self.bundle.size,
        )

    def completed(self, seconds: float) -> TransferCompleted:
        """All that can be moved is at the other end."""
        return TransferCompleted(
            transfer_id=self.id,
            bundle_id=self.bundle.bundle_id,
            route=self.bundle.route,
            origin=self.origin,
            destination=self.hop.site,
            origin_location=self.origin_location,
            location=self.hop.location,
            size=self.bundle.size,
            seconds=seconds,
            packages=tuple(
                MovedPackage(package=one.package, origin_path=one.path, path=one.path, attempt=one.attempt)
                for one in self.bundle.packages
            ),
        )


def failed(bundle: Bundle, hop: Hop, problem: Problem) -> TransferFailed:
    """What is said of a bundle that will not make a hop."""
    return TransferFailed(
        transfer_id=transfer_id(bundle.bundle_id, hop.site),
        bundle_id=bundle.bundle_id,
        route=bundle.route,
        package_ids=tuple(one.package.package_id for one in bundle.packages),
        problem=problem,
    )


@dataclass(frozen=True, slots=True)
class Whole:
    """Every package is at the destination."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Delayed:
    """Some packages are not there yet; another try may help."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Lost:
    """All that can be moved is there; the others would fail again."""

    problem: Problem
    seconds: float


def judge(report: TransferReport) -> Whole | Delayed | Lost:
    """What a transfer's report means for its bundle: waiting comes before giving up."""
    if not report.failed:
        return Whole(report.seconds)
    passing = [failed.problem for failed in report.failed if failed.recovery is Recovery.RETRY]
    if passing:
        return Delayed(_summed(passing, len(report.outcomes)))
    return Lost(_summed([failed.problem for failed in report.failed], len(report.outcomes)), report.seconds)


def _summed(problems: list[Problem], total: int) -> Problem:
    """The first problem, with the reasons of a few more: the other packages may have other ones."""
    reasons = "; ".join(problem.reason for problem in problems[:SHOWN])
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    first = problems[0]
    return Problem(
        code=first.code,
        reason=f"{len(problems)} of {total} packages were not moved: {reasons}{more}",
        remedy=first.remedy,
    )
