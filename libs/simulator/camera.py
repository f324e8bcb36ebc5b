"""What is simulated: a camera on a telescope that looks at one field."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Camera:
    """What the simulated instrument is and where it looks.

    Attributes:
        shape: Rows and columns of a frame, each at least 32.
        pixel_scale: Arc seconds per pixel.
        ra: Right ascension of the centre, in degrees, ICRS.
        dec: Declination of the centre, in degrees, ICRS.
        rotation: Position angle of the detector's columns, east of north, in degrees.
        exposure: Seconds.
        seeing: Full width at half maximum of a star, in arc seconds.
        star_density: Stars per million pixels.
        drift: The target's motion, in arc seconds per hour.
        instrument: INSTRUME.
        telescope: TELESCOP.
        target: OBJECT.
    """

    shape: tuple[int, int] = (512, 512)
    pixel_scale: float = 1.2
    ra: float = 83.822
    dec: float = -5.391
    rotation: float = 12.0
    exposure: float = 30.0
    seeing: float = 3.0
    star_density: float = 800.0
    drift: float = 240.0
    instrument: str = "SIMCAM"
    telescope: str = "Chasqui simulator"
    target: str = "(1862) Apollo"
