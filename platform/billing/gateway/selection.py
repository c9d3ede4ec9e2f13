"""Which gateway is used; loaded at the first call, because Stripe's library is slow to import."""

from functools import cache

from django.utils.module_loading import import_string

from billing.gateway.base import PaymentGateway


@cache
def gateway(*, patient: bool = True) -> PaymentGateway:
    """patient: 15 s and two retries, for workers; otherwise 5 s and none, for the one call that a request waits for."""
    made: PaymentGateway = import_string("billing.gateway.stripe_gateway.StripeGateway")(patient=patient)
    return made
