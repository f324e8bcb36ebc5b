"""The associator: exposures that are made into products together are collected, once.

Hears ExposureNamed, ObservationFinished and PackageSealed, by which an exposure arrives: its observation was finished
as planned, and every file of it is in a sealed package. Hears what is planned and reopened at its own site, and a
clock. Plans an association that an instrument names (AssociationPlanned, MembersAdded), tells which exposures are there
(MembersArrived), collects when all are, or at the deadline (AssociationCollected, AssociationFailed), and notes what
comes too late (OrphanNoted). A packaged file that is called like a product is its data set (ProductMade). What it decides rests on everything said of the association before, under one guard for
all of the site's associations: two instances decide once. Operators plan, force and reopen by `chasqui association`.
"""
