from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import import_string


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing import (  # noqa: F401  for their tasks
            access,
            access_emails,
            cards,
            dispute_sweeps,
            invariants,
            invoice_emails,
            invoices,
            payout_invariants,
            payout_schedule,
            payout_sweeps,
            plan_changes,
            plan_push,
            seat_drifts,
            seat_following,
            seat_submission,
            subscription_emails,
            subscription_sync,
            sweeps,
            usage_emails,
        )
        from billing.belongings import BillingBelongings
        from billing.reconciliation import fixing, runs  # noqa: F401  as above
        from billing.seats import Seats
        from billing.webhooks import replay  # noqa: F401  as above
        from ledger.invariants import register
        from organizations import belongings, seating

        if settings.PROCESS == "worker":
            # Loaded before the first task: a task's time limit that ran out in the middle of this import would leave half a module behind.
            import_string("billing.gateway.stripe_gateway.StripeGateway")
        belongings.register("billing", BillingBelongings())
        seating.register(Seats())
        subscription_sync.followed_by(seat_following.follow)
        for rule in (*invariants.RULES, *payout_invariants.RULES, *seat_drifts.RULES):
            register(*rule[:3], owner="finance", mend=rule[3])
