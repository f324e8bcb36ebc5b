"""Every table of the ops-db; `METADATA` holds them all."""

from sqlalchemy import MetaData

from libs.opsdb.models.archives import DataArchive
from libs.opsdb.models.assets import (
    ObservationAsset,
    ObservationAssetAnalysisRun,
    ObservationAssetProcessingRun,
    ObservationAssetRenderRun,
    ObservationAssetTaskInfo,
)
from libs.opsdb.models.associations import AsnAssociation, AsnExposure, AsnMember, AsnProductLink
from libs.opsdb.models.base import Base
from libs.opsdb.models.configurations import (
    ChaiInparParameter,
    ChaiObservationConfiguration,
    ChaiTiling,
    ObservationConfiguration,
    ObsMode,
    PrimeCamObservationConfiguration,
)
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
    S3DataLocation,
    Site,
    TapeDataLocation,
)
from libs.opsdb.models.devices import Camera, Device
from libs.opsdb.models.files import (
    RawDataFile,
    UnfiledFile,
)
from libs.opsdb.models.holds import DeletionHold
from libs.opsdb.models.journals import (
    DataTransferLog,
    LongTermArchiveTransferLog,
    StagingJobLog,
    SystemLog,
)
from libs.opsdb.models.letters import DeadLetter
from libs.opsdb.models.log import (
    EventRecord,
    StreamPosition,
)
from libs.opsdb.models.observations import ExecutedObsUnit
from libs.opsdb.models.observatories import (
    ChaiModuleConfiguration,
    Instrument,
    InstrumentModule,
    InstrumentModuleConfiguration,
    Observatory,
    PrimeCamModuleConfiguration,
    Telescope,
)
from libs.opsdb.models.packages import (
    RawDataPackage,
    RawDataPackageMetadata,
)
from libs.opsdb.models.people import (
    ApiToken,
    ApiTokenUse,
    Role,
    RolePermission,
    User,
    UserRole,
)
from libs.opsdb.models.programs import (
    ObservingProgram,
    ObsUnit,
    PreScheduledSlot,
    SubObservingProgram,
)
from libs.opsdb.models.sources import (
    ConstantElevationSource,
    FixedSource,
    Line,
    SolarSystemObject,
    Source,
)
from libs.opsdb.models.staging import (
    StagingJob,
    StagingJobPackage,
)
from libs.opsdb.models.tasks import ObservationTaskAssignmentHistory, OpticalImagingTask
from libs.opsdb.models.transfers import (
    BundledPackage,
    DataTransfer,
    DataTransferPackage,
    LongTermArchiveTransfer,
)

METADATA: MetaData = Base.metadata

__all__ = [
    "METADATA",
    "ApiToken",
    "ApiTokenUse",
    "AsnAssociation",
    "AsnExposure",
    "AsnMember",
    "AsnProductLink",
    "Base",
    "BundledPackage",
    "Camera",
    "ChaiInparParameter",
    "ChaiModuleConfiguration",
    "ChaiObservationConfiguration",
    "ChaiTiling",
    "ConstantElevationSource",
    "DataArchive",
    "DataLocation",
    "DataTransfer",
    "DataTransferLog",
    "DataTransferPackage",
    "DataTransferPackagePhysicalCopy",
    "DataTransferRoute",
    "DeadLetter",
    "DeletionHold",
    "Device",
    "DiskDataLocation",
    "EventRecord",
    "ExecutedObsUnit",
    "FixedSource",
    "Instrument",
    "InstrumentModule",
    "InstrumentModuleConfiguration",
    "Line",
    "LongTermArchiveTransfer",
    "LongTermArchiveTransferLog",
    "ObsMode",
    "ObsUnit",
    "ObservationAsset",
    "ObservationAssetAnalysisRun",
    "ObservationAssetProcessingRun",
    "ObservationAssetRenderRun",
    "ObservationAssetTaskInfo",
    "ObservationConfiguration",
    "ObservationTaskAssignmentHistory",
    "Observatory",
    "ObservingProgram",
    "OpticalImagingTask",
    "PhysicalCopy",
    "PreScheduledSlot",
    "PrimeCamModuleConfiguration",
    "PrimeCamObservationConfiguration",
    "RawDataFile",
    "RawDataFilePhysicalCopy",
    "RawDataPackage",
    "RawDataPackageMetadata",
    "RawDataPackagePhysicalCopy",
    "Role",
    "RolePermission",
    "S3DataLocation",
    "Site",
    "SolarSystemObject",
    "Source",
    "StagingJob",
    "StagingJobLog",
    "StagingJobPackage",
    "StreamPosition",
    "SubObservingProgram",
    "SystemLog",
    "TapeDataLocation",
    "Telescope",
    "UnfiledFile",
    "User",
    "UserRole",
]
