"""What is kept for some time only."""

from datetime import timedelta

from django.utils import timezone

from core import jobs
from promo_codes.models import PromoCodeLine, TryWindow

KEPT = timedelta(days=7)


@jobs.task()
def purge() -> None:
    """Forget the lines of files of codes some days after they were sent, and who tried codes as soon as the minute is over."""
    PromoCodeLine.objects.older_than(timezone.now() - KEPT).delete()
    TryWindow.objects.filter(ends_at__lt=timezone.now()).delete()
