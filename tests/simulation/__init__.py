"""The whole observatory in one process, deterministic: the services' own code on a simulated world.

What is real: every service's composition, handlers and decisions, the bus's delivery and publishing, the fold.
What is simulated: NATS, PostgreSQL, disks, archives, clocks, processes and the link between sites. One seed
gives one history, step by step; whatever can go wrong goes wrong somewhere in it, and after each step the
invariants of docs/architecture.md are checked. See docs/simulation.md.
"""
