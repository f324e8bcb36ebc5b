"""The ops-db in memory: the real fold, and what PostgreSQL does with its outcome.

`tests/integration/simulation` folds the same logs into PostgreSQL and compares every table and every query.
"""
