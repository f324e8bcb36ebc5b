"""NATS JetStream as the services use it: streams with guards and deduplication, durable consumers, mirrors, buckets.

`tests/integration/simulation` runs the same operations against a real server and compares the answers.
"""
