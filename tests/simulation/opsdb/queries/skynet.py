"""What is asked of the observation assets."""

from datetime import datetime

from contracts.skynet.states import TransferState
from libs.skynet import knowing
from tests.simulation.opsdb.answers import Found, answers, ordered, pick
from tests.simulation.opsdb.tables import Tables

_OPEN = {TransferState.PENDING, TransferState.ACTIVE}


@answers(knowing._LOST)
def lost(tables: Tables, site: str, now: datetime) -> Found:
    found = [
        asset
        for asset in tables["observation_asset"].values()
        if asset["site"] == site
        and asset["is_remote"]
        and asset["is_transferrable"]
        and asset["transfer_state"] in _OPEN
        and isinstance(asset["lease_until"], datetime)
        and asset["lease_until"] <= now
    ]
    return pick(ordered(found, "lease_until")[:1000], "uid")
