"""How the organizations of the demo stand with their plans, by the operations that people use: a trial that runs, seats that are given."""

from django.utils import timezone

from accounts.models import User
from audit.actor import Actor
from billing import seats, trials
from config.demo import catalogue
from config.demo.people import FINANCE, OWNER, SignIn
from organizations.acting import actor_for


def write() -> None:
    """Dr. Osei tries the organizer's plan; Riverside's organizer has a seat that nobody pays, as those of the first year had."""
    trials.start(organization_id=catalogue.OSEI, plan="organizer", by=_signed_in(OWNER))
    seats.give(
        organization_id=catalogue.RIVERSIDE, seats=1, reason="One seat is free for those who came in our first year", by=_signed_in(FINANCE)
    )


def _signed_in(person: SignIn) -> Actor:
    return actor_for(User.objects.get(pk=person.user_id), second_factor_at=timezone.now(), as_staff=bool(person.staff_groups))
