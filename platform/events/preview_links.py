"""Links to the page of a draft as attendees will see it: signed, for one event, for a while, and for whoever has the link.

Nothing is stored: the signature is Django's, under a key derived from SECRET_KEY for this purpose alone.
"""

from datetime import timedelta

from django.conf import settings
from django.core import signing

from core.errors import DomainError
from events.models import Event

VALID_FOR = timedelta(days=7)
_PURPOSE = "events.preview_links"
_LONGEST = 200


class PreviewExpired(DomainError):
    """Also said of a link that was altered or is another event's: who has no good link learns nothing about the event."""

    code, http_status = "PREVIEW_EXPIRED", 404

    def __init__(self) -> None:
        super().__init__(f"This preview link does not work any more. Ask the organizer for a new one; each lasts {VALID_FOR.days} days.")


def key(event: Event) -> str:
    """Opens the event's preview from now on for `VALID_FOR`."""
    return signing.dumps(event.public_id, salt=_PURPOSE)


def url(event: Event) -> str:
    return f"{settings.BASE_URL}/events/{event.slug}/preview?key={key(event)}"


def opened(*, slug: str, key: str) -> Event:
    """The event whose preview the key opens, with its organization and host. Raises PreviewExpired."""
    event = Event.objects.select_related("organization", "host").filter(slug=slug, organization__is_active=True).first()
    if event is None or len(key) > _LONGEST:
        raise PreviewExpired
    try:
        named = signing.loads(key, salt=_PURPOSE, max_age=VALID_FOR)
    except signing.BadSignature as error:
        raise PreviewExpired from error
    if named != event.public_id:
        raise PreviewExpired
    return event
