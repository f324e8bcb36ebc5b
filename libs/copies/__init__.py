"""What several services ask about the copies of a package: is one whole, where did it come from, what is known.

Invariants:
    1. Only bytes that were read, or a file that is not there on a disk that is, are held against a copy.
    2. What is said of a copy is said at the site of its location: so all of it is in one stream, in order.
"""
