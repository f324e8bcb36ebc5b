"""Tokens: their uses are counted site by site, and summed up by `reconciling`."""

from contracts.envelope import Envelope
from contracts.tokens import TokenIssued, TokenRevoked, TokenUsed
from libs.opsdb.projection.changes import Change, one, text_array
from libs.opsdb.projection.folds.journals import said
from libs.opsdb.projection.tables import API_TOKEN, API_TOKEN_USE, USER


def token_issued(told: Envelope, event: TokenIssued) -> list[Change]:
    """It is good, unless its revocation was heard before."""
    columns = {
        "user_name": event.user_name,
        "name": event.name,
        "sha256": event.sha256,
        "scopes": text_array(event.scopes),
        "issued_at": event.issued_at,
        "issued_by": event.issued_by,
        "expires_at": event.expires_at,
    }
    return [
        one(USER, (event.user_name,), {}),
        one(API_TOKEN, (event.token_id,), columns),
        said(
            told,
            actor=event.issued_by,
            message=f"a token for {event.user_name}: {event.name}",
            details={"scopes": event.scopes},
        ),
    ]


def token_revoked(told: Envelope, event: TokenRevoked) -> list[Change]:
    """It is refused, at every site that hears of it."""
    return [
        one(API_TOKEN, (event.token_id,), {"revoked_at": event.revoked_at}),
        said(
            told, actor=event.revoked_by, message=f"a token is revoked: {event.reason or 'no reason given'}"
        ),
    ]


def token_used(told: Envelope, event: TokenUsed) -> list[Change]:
    """So many times, at this site."""
    columns = {
        "uses": event.uses,
        "last_used_at": event.last_used_at,
        "last_address": event.last_address,
    }
    return [one(API_TOKEN, (event.token_id,), {}), one(API_TOKEN_USE, (event.token_id, told.site), columns)]
