"""The fault suite: a whole deployment under load, things done to it, and then: did everything come out whole?

    make faults              the long form
    CHASQUI_FAULTS_SEED=7 .venv/bin/pytest tests/faults -k kill      one scenario, with the choices of seed 7

- `system`: a running ``chasqui up``, its processes and its places. `outside`: the same with servers of the test's
  own, so that it can stand between them and the services.
- `load`: instruments and a scientist, who go on whatever happens; what they saw is in the `ledger`.
- `doing`: what is done to the system, each with a seeded choice of what and when.
- `chronicle`: the log of every site, followed live. `checks`: what must hold when all is at rest again.
- `scenario`: load, faults, rest, checks, `report`: what every test is made of.
"""
