"""What each kind of thing waits for, in words: one module a kind, pure functions of rows.

A row is a mapping of column names to values as ops-db has them. What is not known of it yet is None or missing.
"""
