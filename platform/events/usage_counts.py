"""The counter of events that a plan allows, compared with the events themselves."""

from uuid import UUID

from django.db import transaction
from django.db.models import Q

from audit.actor import Actor
from core import jobs
from entitlements import usage
from entitlements.models import Grant, Resource
from events.models import Event

BY = Actor.system("events.usage_counts")


@jobs.task()
def reconcile() -> None:
    """Each organization's counter is the number of events made in its period; what was off is corrected and reported as a drift."""
    for grant_id in Grant.objects.order_by("pk").values_list("pk", flat=True).iterator():
        reconcile_one(grant_id)


@transaction.atomic
def reconcile_one(grant_id: UUID) -> None:
    grant = Grant.objects.select_for_update().get(pk=grant_id)  # whoever makes an event holds this lock from the counter to the event
    made = Q(created_at__gte=grant.period_starts_at, created_at__lt=grant.period_ends_at)
    counted = Event.objects.filter(made, organization_id=grant.organization_id).count()
    usage.correct(grant=grant, resource=Resource.EVENTS, counted=counted, by=BY)
