"""Thumbnails and previews of FITS images.

Services import `libs.imaging.pool` and `libs.imaging.outcomes`, which load neither astropy nor numpy;
the pictures are made by `libs.imaging.render` in worker processes that can be killed.

Invariants:
- A picture's bytes depend on the file's bytes, its name and the settings alone.
- A table, a spectrum or a damaged file gives `NoPreview` with a reason, never a misleading picture.
- No file, whatever it holds, harms the calling process or the next file.
- Memory stays flat: rows are read in blocks and averaged while reading.
"""
