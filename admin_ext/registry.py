"""Which admin class stands on which console. A model that is not named here does not exist there."""

from django.db.models import Model

from accounts.models import User
from admin_ext.billing.payments import PaymentAdmin
from admin_ext.billing.refunds import RefundAdmin
from admin_ext.console import scope
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.events import EventAdmin, SessionAdmin
from admin_ext.organizations import MembershipAdmin, OrganizationAdmin, UserAdmin
from admin_ext.registrations import RegistrationAdmin
from admin_ext.sites import console_site, staff_site
from billing.models import CheckoutSession, Payment, PaymentLine, Refund
from core.models import Job
from events.models import Event, Session
from organizations.models import Membership, Organization
from registrations.models import Registration

scope.through(CheckoutSession, "payment")
scope.through(PaymentLine, "payment")
scope.of_the_platform(Job)

BOTH: tuple[tuple[type[Model], type[ConsoleModelAdmin]], ...] = (
    (Payment, PaymentAdmin),
    (Refund, RefundAdmin),
    (Event, EventAdmin),
    (Session, SessionAdmin),
    (Registration, RegistrationAdmin),
    (Organization, OrganizationAdmin),
    (Membership, MembershipAdmin),
)
STAFF: tuple[tuple[type[Model], type[ConsoleModelAdmin]], ...] = ((User, UserAdmin),)

for model, admin in BOTH:
    staff_site.register(model, admin)
    console_site.register(model, admin)
for model, admin in STAFF:
    staff_site.register(model, admin)
