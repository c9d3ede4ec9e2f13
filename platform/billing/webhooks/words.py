"""What every handler of events has in common: who acts, and what is said of an object that belongs to nothing here."""

from contextvars import ContextVar

from audit.actor import Actor

BY = Actor.system("stripe.webhook")

told_by: ContextVar[str] = ContextVar("told_by", default="")  # the event that is being handled, by Stripe's id


class NotOurs(Exception):
    """The object belongs to nothing here: somebody else uses the same Stripe account, or it is a test of the endpoint."""
