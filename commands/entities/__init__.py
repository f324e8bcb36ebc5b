"""The tables and what refers to what, in docs/opsdb.svg: ``python -m commands.entities``.

Where each table stands is said in `areas`; what is in it, and what it refers to, comes from the models (`boxes`). A line
is drawn within an area (`drawing`); what refers to another area says so in words.
"""
