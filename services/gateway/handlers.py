"""The gateway consumes no events: it has no durable subscriptions."""

from libs.bus.subscription import Subscription

SUBSCRIPTIONS: tuple[Subscription, ...] = ()
