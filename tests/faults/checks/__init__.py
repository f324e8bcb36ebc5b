"""What must hold when a system is at rest again; each check says in words what does not.

`unrest` is what passes by itself if one waits; everything else is looked at once that is nothing.
"""
