"""Which admin class stands on which console. A model that is not named here does not exist there."""

from django.db.models import Model
from django_q.models import OrmQ, Schedule

from accounts.models import User
from admin_ext.attendance.files import AttendanceLineAdmin
from admin_ext.attendance.verdicts import VerdictAdmin
from admin_ext.billing.accounts import ConnectedAccountAdmin
from admin_ext.billing.charge_fees import ChargeFeeAdmin
from admin_ext.billing.differences import DiscrepancyAdmin
from admin_ext.billing.disputes import DisputeAdmin
from admin_ext.billing.documents import DocumentAdmin
from admin_ext.billing.invoices import InvoiceAdmin
from admin_ext.billing.payments import PaymentAdmin
from admin_ext.billing.payouts import PayoutRequestAdmin
from admin_ext.billing.periods import ReconciliationPeriodAdmin
from admin_ext.billing.plans import PlanAdmin
from admin_ext.billing.rates import FeeScheduleAdmin, TaxRateAdmin
from admin_ext.billing.reconciliation import ReconciliationRunAdmin
from admin_ext.billing.refunds import RefundAdmin
from admin_ext.billing.seat_drifts import SeatDriftAdmin
from admin_ext.billing.stripe import CheckoutSessionAdmin, InboundEventAdmin, StripeCommandAdmin
from admin_ext.billing.subscriptions import PlanAccessAdmin
from admin_ext.bulk_screen import BulkRunAdmin
from admin_ext.console import scope
from admin_ext.console.base import ConsoleModelAdmin
from admin_ext.events import EventAdmin, SessionAdmin
from admin_ext.ledger import LedgerEntryAdmin, LedgerTransactionAdmin
from admin_ext.models import BulkRun
from admin_ext.operations import AuditEntryAdmin, JobAdmin, MessageAdmin, QueueAdmin, ScheduleAdmin
from admin_ext.organizations.admins import ActingGrantAdmin, AdminOfferAdmin
from admin_ext.organizations.invitations import InvitationAdmin
from admin_ext.organizations.members import MembershipAdmin
from admin_ext.organizations.organizations import OrganizationAdmin
from admin_ext.organizations.users import UserAdmin
from admin_ext.promo_codes.codes import PromoCodeAdmin
from admin_ext.promo_codes.redemptions import RedemptionAdmin
from admin_ext.registrations import RegistrationAdmin
from admin_ext.sites import console_site, staff_site
from admin_ext.usage import AllowanceAdmin, UsageDriftAdmin
from audit.models import AuditEntry
from billing.models import (
    ChargeFee,
    CheckoutSession,
    ConnectedAccount,
    Discrepancy,
    Dispute,
    Document,
    FeeSchedule,
    InboundEvent,
    Invoice,
    Payment,
    PaymentLine,
    PayoutRequest,
    Plan,
    PlanAccess,
    ReconciliationPeriod,
    ReconciliationRun,
    Refund,
    SeatDrift,
    StripeCommand,
    TaxRate,
)
from core.models import Job
from entitlements.models import Allowance, UsageDrift
from events.models import Event, Session
from ledger.models import LedgerEntry, LedgerTransaction
from notifications.models import Message
from organizations.models import ActingGrant, AdminOffer, Invitation, Membership, Organization
from promo_codes.models import PromoCode, Redemption
from registrations.models import AttendanceLine, Registration, Verdict

scope.through(CheckoutSession, "payment")
scope.through(PaymentLine, "payment")
for table in (Job, Schedule, OrmQ):
    scope.of_the_platform(table)

type Screens = tuple[tuple[type[Model], type[ConsoleModelAdmin]], ...]

BOTH: Screens = (
    (Payment, PaymentAdmin),
    (Refund, RefundAdmin),
    (Dispute, DisputeAdmin),
    (PayoutRequest, PayoutRequestAdmin),
    (ConnectedAccount, ConnectedAccountAdmin),
    (Document, DocumentAdmin),
    (Event, EventAdmin),
    (Session, SessionAdmin),
    (Registration, RegistrationAdmin),
    (PromoCode, PromoCodeAdmin),
    (Redemption, RedemptionAdmin),
    (Verdict, VerdictAdmin),
    (AttendanceLine, AttendanceLineAdmin),
    (Organization, OrganizationAdmin),
    (PlanAccess, PlanAccessAdmin),
    (Invoice, InvoiceAdmin),
    (Allowance, AllowanceAdmin),
    (Membership, MembershipAdmin),
    (Invitation, InvitationAdmin),
    (AdminOffer, AdminOfferAdmin),
    (ActingGrant, ActingGrantAdmin),
    (AuditEntry, AuditEntryAdmin),
    (BulkRun, BulkRunAdmin),
)
STAFF: Screens = (
    (CheckoutSession, CheckoutSessionAdmin),
    (StripeCommand, StripeCommandAdmin),
    (InboundEvent, InboundEventAdmin),
    (LedgerTransaction, LedgerTransactionAdmin),
    (LedgerEntry, LedgerEntryAdmin),
    (ReconciliationRun, ReconciliationRunAdmin),
    (Discrepancy, DiscrepancyAdmin),
    (ReconciliationPeriod, ReconciliationPeriodAdmin),
    (ChargeFee, ChargeFeeAdmin),
    (FeeSchedule, FeeScheduleAdmin),
    (TaxRate, TaxRateAdmin),
    (Plan, PlanAdmin),
    (UsageDrift, UsageDriftAdmin),
    (SeatDrift, SeatDriftAdmin),
    (User, UserAdmin),
    (Job, JobAdmin),
    (Schedule, ScheduleAdmin),
    (OrmQ, QueueAdmin),
    (Message, MessageAdmin),
)

for model, admin in BOTH:
    staff_site.register(model, admin)
    console_site.register(model, admin)
for model, admin in STAFF:
    staff_site.register(model, admin)
