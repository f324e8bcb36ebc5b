"""Work on the ops-db as a whole, while the site works on: proving that it equals the log, and making it anew.

`claim` holds the right to such work and removes what a killed one left, `logs` looks whether the log is whole,
`comparing` finds what differs in two schemas, and `verifying` and `replacing` are the two pieces of work.

Invariants:
    1. One piece of such work at a time for each ops-db; its schemas have names that nothing else uses, so that
       the next one may remove them.
    2. Nothing is folded that the live tables do not contain: what the projector could not read or store, it has
       put to the dead letters before, and it is passed over in silence here.
    3. Nobody waits long: readers and the projector are kept from the tables for the moment of the exchange alone.
"""
