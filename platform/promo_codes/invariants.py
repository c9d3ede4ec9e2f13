"""A rule about promo codes that must always hold; run by the console's page and the nightly task."""

from collections.abc import Iterator

from django.db.models import Count, F, Q

from core.public_ids import encode
from promo_codes.models import PromoCode
from promo_codes.models.redemption import COUNTS


def uses_are_counted() -> Iterator[str]:
    """Reserved and consumed redemptions, counted, are what the code says, and within its limit."""
    counted = PromoCode.objects.annotate(counted=Count("redemptions", filter=Q(redemptions__state__in=COUNTS)))
    off = counted.exclude(counted=F("uses"), max_uses=None).exclude(counted=F("uses"), counted__lte=F("max_uses"))
    for key, uses, counting in off.values_list("pk", "uses", "counted"):
        yield f"{encode(PromoCode.public_prefix, key)} counts {uses} uses, but {counting} redemptions count."
