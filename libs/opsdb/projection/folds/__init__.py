"""What each event does to the tables: one module per subject, one function per event.

A fold is pure: it sees the event and its envelope, never a table. What depends on a row's state is said by a
guard and decided where the row is.
"""
