"""Whether a camera may be filed as it is now: a pure decision."""

from contracts.skynet.cameras import CameraRegistered
from contracts.skynet.requests import EntityAccepted, FileCamera
from services.filing.decisions import Accept, Decision, Refuse
from services.filing.network_world import CameraWorld, number_taken


def decide_camera(request: FileCamera, world: CameraWorld) -> Decision:
    """What differs from what is known is a new revision; a repeat of an older one changes nothing back."""
    camera, known = request.camera, world.known
    if known is not None and (world.said_before or known.camera == camera):
        return Accept((), EntityAccepted(uid=camera.uid, turn=known.revision, repeated=True))
    if world.number_of is not None:
        return Refuse((number_taken("device", camera.id, world.number_of),))
    revision = 1 if known is None else known.revision + 1
    event = CameraRegistered(revision=revision, camera=camera, registered_at=request.at)
    return Accept((event,), EntityAccepted(uid=camera.uid, turn=revision))
