"""Which gateway is used; loaded at the first call, because Stripe's library is slow to import."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from django.utils.module_loading import import_string

from billing.gateway.base import PaymentGateway


@cache
def _made(*, patient: bool) -> PaymentGateway:
    made: PaymentGateway = import_string("billing.gateway.stripe_gateway.StripeGateway")(patient=patient)
    return made


class Selection:
    """`gateway()` gives Stripe's, one for the process; inside `gateway.instead(other)` it gives the other one."""

    def __init__(self) -> None:
        self._other: ContextVar[PaymentGateway | None] = ContextVar("gateway", default=None)

    def __call__(self, *, patient: bool = True) -> PaymentGateway:
        """patient: 15 s and two retries, for workers; otherwise 5 s and none, for the one call that a request waits for."""
        return self._other.get() or _made(patient=patient)

    @contextmanager
    def instead(self, other: PaymentGateway) -> Iterator[None]:
        """For what this thread does inside the block, and for nobody else."""
        token = self._other.set(other)
        try:
            yield
        finally:
            self._other.reset(token)

    def cache_clear(self) -> None:
        """Make Stripe's anew at the next call, with the settings as they are then."""
        _made.cache_clear()


gateway = Selection()
