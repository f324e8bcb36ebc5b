"""Real servers from PyPI wheels, started on this machine: NATS, PostgreSQL and an S3 endpoint.

Nothing is started by hand and no container engine is needed. Every server listens on 127.0.0.1 only,
keeps its data and its generated credentials in one folder, and dies with the process that started it.

Take `libs.embedded.nats.EmbeddedNats`, `libs.embedded.postgres.EmbeddedPostgres` and
`libs.embedded.s3.EmbeddedS3` from their modules, or all together from `libs.embedded.servers`.

Invariants:
    1. A folder belongs to one running server: `FolderLock` holds it, the error names the holder.
    2. A server is the child of the starting main thread and has a parent-death signal, so that even
       kill -9 of the starter leaves no process.
    3. A server leads its own session: Ctrl-C in the terminal reaches the starter alone, which stops it.
    4. Secrets are written once, mode 0600, and never appear on a command line.
    5. This package's `__init__` imports nothing: the server hosts in it start as separate processes.
"""
