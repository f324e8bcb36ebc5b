"""Moving files from buffer to buffer: the engine interface, and the engine for local and mounted disks."""
