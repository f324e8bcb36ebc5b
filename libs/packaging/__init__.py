"""Packages: the instrument's files as one tar in BagIt layout, sealed, inspected and unpacked.

Every function blocks and belongs in a worker thread; each reads its input once, forward, and holds a fixed
number of blocks however large a file is, beside one small record per file.
"""

from libs.packaging.faults import (
    BadFile,
    BagDamaged,
    BagFault,
    BagProblem,
    CancelSignal,
    DestinationConflict,
    FileFault,
    PackageDiffers,
    PackagingCancelled,
    PayloadChanged,
)
from libs.packaging.inspecting import inspect_bag, inspect_stream
from libs.packaging.names import check_path, decode_name, encode_name
from libs.packaging.passing import Readable
from libs.packaging.payload import InspectedBag, PayloadFile, SealedBag, SealedFile, UnpackedBag
from libs.packaging.planning import Envelope, sealed_size, split
from libs.packaging.sealing import write_bag
from libs.packaging.unpacking import unpack_bag

__all__ = [
    "BadFile",
    "BagDamaged",
    "BagFault",
    "BagProblem",
    "CancelSignal",
    "DestinationConflict",
    "Envelope",
    "FileFault",
    "InspectedBag",
    "PackageDiffers",
    "PackagingCancelled",
    "PayloadChanged",
    "PayloadFile",
    "Readable",
    "SealedBag",
    "SealedFile",
    "UnpackedBag",
    "check_path",
    "decode_name",
    "encode_name",
    "inspect_bag",
    "inspect_stream",
    "sealed_size",
    "split",
    "unpack_bag",
    "write_bag",
]
