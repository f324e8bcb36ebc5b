"""How pictures are made of an asset, by what it contains: pure."""

from collections.abc import Mapping

from contracts.skynet.states import AssetRole
from libs.imaging.outcomes import ColourMap, RenderSettings, Stretch

VERSION = "1"
"""Of these settings and of the renderer: it is told of every run."""

_RADIO = RenderSettings(colour_map=ColourMap.VIRIDIS)

OF_ROLES: Mapping[AssetRole, RenderSettings] = {
    # The sky: its background dark, what is faint visible, stars white.
    AssetRole.SCIENCE_LIGHT: RenderSettings(),
    # Next to nothing but noise: all of its range is shown as it is, so that columns and gradients are seen.
    AssetRole.BIAS: RenderSettings(
        stretch=Stretch.LINEAR, lower_percentile=0.5, midtone_percentile=50.0, upper_percentile=99.5
    ),
    # Hot pixels are far above the rest, and few: white by themselves, they do not hide the glow.
    AssetRole.DARK: RenderSettings(
        stretch=Stretch.ASINH, lower_percentile=0.5, midtone_percentile=50.0, upper_percentile=99.5
    ),
    # Almost even light: dust and vignetting are small differences, so nothing bends them.
    AssetRole.FLAT: RenderSettings(
        stretch=Stretch.LINEAR, lower_percentile=1.0, midtone_percentile=50.0, upper_percentile=99.0
    ),
    # Charts, which have lines and axes; where a file has an image, its values in colours.
    AssetRole.RADIO_TRACK: _RADIO,
    AssetRole.RADIO_TRACK_TABLE: _RADIO,
    AssetRole.RADIO_MAP: RenderSettings(stretch=Stretch.LINEAR, colour_map=ColourMap.VIRIDIS),
}


def settings_for(role: AssetRole | None) -> RenderSettings:
    """The settings for a role; those of a frame of the sky if there is none."""
    return OF_ROLES[role or AssetRole.SCIENCE_LIGHT]
