"""Associations: whatever is told of one, the telling of the highest turn counts for each of its rows."""

import json

from contracts.association_ids import product_member_num
from contracts.association_states import MemberStatus, ProductStatus
from contracts.associations import AssociationEvent, ExposureNamed, Head
from contracts.envelope import Envelope
from libs.opsdb.projection.changes import Change, Key, Upsert, Values, one, problem_columns
from libs.opsdb.projection.tables import ASN_ASSOCIATION, ASN_EXPOSURE, ASN_MEMBERS, ASN_PRODUCT_LINK


def exposure_named(told: Envelope, event: ExposureNamed) -> list[Change]:
    """The observation is this exposure."""
    exposure = event.exposure
    columns = {
        "exposure_name": exposure.name,
        "program_id": exposure.name[1:4],
        "obset_id": exposure.name[4:6],
        "member_num": exposure.name[6:],
        "member_type": exposure.member_type,
        "claims": json.dumps([claim.model_dump() for claim in exposure.associations]),
        "named_at": told.time,
        "told_by": told.id,
    }
    return [one(ASN_EXPOSURE, (event.executed_obs_unit_id,), columns)]


def association_told(told: Envelope, event: AssociationEvent) -> list[Change]:
    """The association is as its head says, and so are the rows that are told with it."""
    changes: list[Change] = [
        one(ASN_ASSOCIATION, (event.head.association_id,), {"site": told.site, **_head(told, event.head)})
    ]
    if rows := [*_exposures(told, event), *_products(told, event)]:
        changes.append(Upsert(ASN_MEMBERS, rows))
    if links := _links(event):
        changes.append(Upsert(ASN_PRODUCT_LINK, links))
    return changes


def _head(told: Envelope, head: Head) -> Values:
    done = head.collection
    return {
        "turn": head.turn,
        "told_by": told.id,
        "revision": head.revision,
        "state": head.state,
        "origin": head.origin,
        "rule": head.rule,
        "expected": head.expected,
        "deadline": head.deadline,
        "opened_at": head.opening.at,
        "opened_by": head.opening.actor,
        "open_reason": head.opening.reason,
        "collected_at": done.at if done else None,
        "collected_by": done.actor if done else None,
        "collection_reason": done.reason if done else None,
        "missing": done.missing if done else None,
        **problem_columns(head.problem),
    }


def _version(told: Envelope, head: Head) -> Values:
    return {"turn": head.turn, "told_by": told.id, "revision": head.revision}


def _exposures(told: Envelope, event: AssociationEvent) -> list[tuple[Key, Values]]:
    common = {
        "product_status": ProductStatus.EXPOSURE,
        **_version(told, event.head),
        "raw_data_file_id": None,
        "made_at": None,
    }
    return [
        (
            (event.head.association_id, member.program_id, member.obset_id, member.member_num),
            {
                **common,
                "member_type": member.member_type,
                "member_status": member.member_status,
                "executed_obs_unit_id": member.executed_obs_unit_id,
                "arrived_at": member.arrived_at,
            },
        )
        for member in event.exposures
    ]


def _products(told: Envelope, event: AssociationEvent) -> list[tuple[Key, Values]]:
    name = event.head.association_id
    common = {
        "member_status": MemberStatus.PRODUCT,
        **_version(told, event.head),
        "executed_obs_unit_id": None,
        "arrived_at": None,
    }
    return [
        (
            (name, name[1:4], name[4:6], product_member_num(name, product.product_id)),
            {
                **common,
                "member_type": product.member_type,
                "product_status": product.product_status,
                "raw_data_file_id": product.dataset,
                "made_at": product.made_at,
            },
        )
        for product in event.products
    ]


def _links(event: AssociationEvent) -> list[tuple[Key, Values]]:
    name = event.head.association_id
    return [
        ((name, product_member_num(name, link.product_id), key[:3], key[3:5], key[5:]), {})
        for link in event.links
        for key in link.exposures
    ]
