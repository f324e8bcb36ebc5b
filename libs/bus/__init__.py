"""JetStream as Chasqui uses it: provisioning, publishing before acknowledging, and what happens to failures.

Invariants, and the traps behind them:
- An input is acknowledged only after every event it causes is stored (`settling`).
- FastStream's default policy terminates a message whose handler raises. Every subscriber here is made by
  `Bus.subscribe` with `AckPolicy.MANUAL`; `settling` alone settles messages.
- A consumer that exists is never updated by a subscriber; `provision` creates and compares, nobody else.
- A claim is renewed only while its handler gives signs of life (`claims`, `pulse`); who lost one settles nothing.
- A publish without an expected stream may be answered by nobody: `publishing` always names the stream.
- A publish that timed out may have been stored: it is repeated with the same ``Nats-Msg-Id``.
"""
