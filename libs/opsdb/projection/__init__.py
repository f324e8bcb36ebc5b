"""Folding events into the tables.

`fold` turns one event into changes (pure), `coalescing` merges the changes of a batch (pure), `statements`
says them in SQL (pure), and `applying` is the one transaction in which they, the record of the events and
the positions become visible together.
"""
