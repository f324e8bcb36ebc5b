"""What is published of the contracts: JSON Schema for every message, AsyncAPI for every service.

    python -m commands.published            write what is new
    python -m commands.published --check    change nothing; exit with 1 if something would change

The schemas stand in contracts/schemas, the AsyncAPI documents in docs/asyncapi. A version that was published never
changes: contracts/schemas/published.json has the digest of each, and neither this program nor a test lets a schema
change under it.
"""
