"""Every table of the ops-db; `METADATA` holds them all."""

from sqlalchemy import MetaData

from libs.opsdb.models.associations import AsnAssociation, AsnExposure, AsnMember, AsnProductLink
from libs.opsdb.models.base import Base
from libs.opsdb.models.copies import (
    DataTransferPackagePhysicalCopy,
    PhysicalCopy,
    RawDataFilePhysicalCopy,
    RawDataPackagePhysicalCopy,
)
from libs.opsdb.models.deployment import (
    DataLocation,
    DataTransferRoute,
    DiskDataLocation,
    Instrument,
    InstrumentModule,
    S3DataLocation,
    Site,
    TapeDataLocation,
)
from libs.opsdb.models.files import RawDataFile, UnfiledFile
from libs.opsdb.models.holds import DeletionHold
from libs.opsdb.models.letters import DeadLetter
from libs.opsdb.models.log import EventRecord, StreamPosition
from libs.opsdb.models.observations import ExecutedObsUnit
from libs.opsdb.models.packages import RawDataPackage
from libs.opsdb.models.staging import StagingJob, StagingJobPackage
from libs.opsdb.models.transfers import (
    BundledPackage,
    DataTransfer,
    DataTransferPackage,
    LongTermArchiveTransfer,
)

METADATA: MetaData = Base.metadata

__all__ = [
    "METADATA",
    "AsnAssociation",
    "AsnExposure",
    "AsnMember",
    "AsnProductLink",
    "Base",
    "BundledPackage",
    "DataLocation",
    "DataTransfer",
    "DataTransferPackage",
    "DataTransferPackagePhysicalCopy",
    "DataTransferRoute",
    "DeadLetter",
    "DeletionHold",
    "DiskDataLocation",
    "EventRecord",
    "ExecutedObsUnit",
    "Instrument",
    "InstrumentModule",
    "LongTermArchiveTransfer",
    "PhysicalCopy",
    "RawDataFile",
    "RawDataFilePhysicalCopy",
    "RawDataPackage",
    "RawDataPackagePhysicalCopy",
    "S3DataLocation",
    "Site",
    "StagingJob",
    "StagingJobPackage",
    "StreamPosition",
    "TapeDataLocation",
    "UnfiledFile",
]
