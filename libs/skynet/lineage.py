"""From which raw asset an asset descends."""

from contracts.skynet.assets import ObservationAsset
from libs.errors import UserError


def check_root(asset: ObservationAsset, root: ObservationAsset | None) -> None:
    """An asset has the raw asset that it descends from as its root, in the same observation.

    Roots are raw, and never change: so there are no cycles.

    Args:
        asset: A new asset.
        root: The asset that it names as its root, if it names one that there is.

    Raises:
        UserError: ``root_unknown``, ``root_not_raw`` or ``root_elsewhere``.
    """
    number = asset.root_observation_asset_id
    if number is None:
        return
    if root is None or root.id != number:
        raise UserError(
            "root_unknown",
            f"asset {asset.id} descends from asset {number}, which is not registered",
            "Register the raw asset first.",
        )
    if root.root_observation_asset_id is not None:
        raise UserError(
            "root_not_raw",
            f"asset {asset.id} names as its root asset {number}, which descends from asset {root.root_observation_asset_id}",
            f"Name the raw asset as its root: {root.root_observation_asset_id}.",
        )
    if root.observation_id != asset.observation_id:
        raise UserError(
            "root_elsewhere",
            f"asset {asset.id} is of observation {asset.observation_id}, its root {number} of {root.observation_id}",
            "Name a raw asset of the same observation.",
        )


def root_for(parent: ObservationAsset) -> int:
    """The root of whatever is made from an asset: its own, or itself if it is raw."""
    return parent.root_observation_asset_id or parent.id
