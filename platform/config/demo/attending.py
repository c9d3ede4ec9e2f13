"""Who came to the events that are over: most from beginning to end, some for a part of it, some not at all."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from config.demo.copying import copy_rows
from config.demo.ids import key
from config.demo.sales import Sale
from core import jobs
from events.models import Event, Session
from registrations import verdicts
from registrations.models import AttendanceInterval, Registration

_SHARES = (100, 100, 96, 90, 100, 55, 85, 0)  # of the session's length, by turns; 0 stayed away


def write(events: Sequence[Event], sales: Sequence[Sale]) -> None:
    """In the caller's transaction, once the sales are written. What it comes to is worked out by the worker."""
    over = {event.pk for event in Event.objects.filter(pk__in=[event.pk for event in events], state=Event.State.COMPLETED)}
    sessions = {session.event_id: session for session in Session.objects.filter(event__in=over)}
    copy_rows(list(_stays(sales, sessions)))
    for event_id in sorted(over):
        jobs.enqueue(verdicts.recompute, event_id=event_id, after=None)


def _stays(sales: Sequence[Sale], sessions: dict[UUID, Session]) -> Iterator[AttendanceInterval]:
    for number, sale in enumerate(sales):
        session, share = sessions.get(sale.event.pk), _SHARES[number % len(_SHARES)]
        if session is None or sale.registration is None or sale.place != Registration.State.CONFIRMED or not share:
            continue
        yield AttendanceInterval(
            pk=key(session.starts_at, "stay", number),
            registration=sale.registration,
            session=session,
            source=AttendanceInterval.Source.ZOOM,
            started_at=session.starts_at + timedelta(minutes=number % 3),
            ended_at=session.starts_at + timedelta(minutes=number % 3) + (session.ends_at - session.starts_at) * share / 100,
            created_at=session.ends_at,
            updated_at=session.ends_at,
        )
