"""What a network of telescopes says of its observation assets, tasks and cameras: its own fields and enums, exactly.

Every event tells the whole of what it is about as it is after it, and counts what was said of it (`turn`), so that the
rows come out the same in whatever order the events are read.
"""
