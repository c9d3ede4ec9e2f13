"""An organization and the beginning of its plan in one step, for somebody who is new: either both are there, or nothing is."""

from django.db import transaction

from audit.actor import Actor
from billing import subscribing, trials
from core.errors import InvalidInput
from organizations import creating
from organizations.models import Organization

TRIAL = "trial"
WAYS = (TRIAL, "month", "year")


@transaction.atomic
def begin(*, name: str, kind: str, country: str, plan: str, way: str, by: Actor) -> Organization:
    """The organization is there with the actor as its admin, its trial begun or ready to be subscribed (subscribing.checkout_url).

    way: one of WAYS. Raises what creating.create, trials.start and subscribing.begin raise; nothing is made then.
    """
    if way not in WAYS:
        raise InvalidInput("Choose the trial, or how to pay.", field="way")
    organization = creating.create(name=name, kind=kind, country=country, by=by)
    if way == TRIAL:
        trials.start(organization_id=organization.pk, plan=plan, by=by)
    else:
        subscribing.begin(organization_id=organization.pk, plan=plan, interval=way, by=by)
    return organization
