"""What of an organization's events does not fit a smaller plan."""

from uuid import UUID

from billing.models import Plan
from events.models import Event


def blockers(organization_id: UUID, plan: Plan) -> list[str]:
    """One sentence for each; drafts and what is over stand in nobody's way."""
    running = Event.objects.filter(organization_id=organization_id, state__in=[Event.State.PUBLISHED, Event.State.LIVE])
    if plan.events_per_month == 0:
        count = running.count()
        return [f"{count} published or live events: wait until they are over, or take them back to draft."] if count else []
    if plan.attendees_per_event is None:
        return []
    large = running.filter(capacity__gt=plan.attendees_per_event).order_by("starts_at").values_list("title", flat=True)[:5]
    return [f"“{title}” has more than {plan.attendees_per_event} places: wait until it is over, or give it fewer." for title in large]
