"""`chasqui demo`: the whole road on this machine, watched from end to end."""
