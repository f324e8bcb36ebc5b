"""Reference data: what an observatory consists of, what it plans to observe, and who works there.

Each entry tells a row in full, and the latest telling of a row counts, whichever site it comes from. Nothing is ever
taken out of the catalog: what is no longer used is told as `retired`.
"""
