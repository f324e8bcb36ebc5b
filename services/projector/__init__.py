"""Hears every event of every site, folds it into the tables of the ops-db, and says nothing.

It is the one writer of the ops-db. Its position in each stream is stored in the transaction of the effects,
so that it needs no acknowledgements: it begins after the last position, whatever happened before. Of several
instances the one with the lease writes.
"""
