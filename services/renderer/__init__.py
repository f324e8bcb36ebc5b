"""The renderer: thumbnails and previews of what instruments write.

Hears FilesScanned of its own site; looks which files are FITS images or tables, has them rendered by worker
processes of low priority, in the style of their instrument, and keeps the pictures in the site's preview folder. Says
AssetRendered for the files that have pictures now, and RenderFailed, with the reason, for the others. Nothing on the
road waits for it. Besides, it makes the pictures of observation assets that were marked (`services.renderer.assets`).
"""
