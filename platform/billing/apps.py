from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import import_string


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing import invariants, payout_invariants, payout_schedule, payout_sweeps, sweeps  # noqa: F401  these register their tasks
        from billing.reconciliation import fixing, runs  # noqa: F401  as above
        from billing.webhooks import replay  # noqa: F401  as above
        from ledger.invariants import register

        if settings.PROCESS == "worker":
            # Loaded before the first task: a task's time limit that ran out in the middle of this import would leave half a module behind.
            import_string("billing.gateway.stripe_gateway.StripeGateway")
        register("refunded_within_captured", "Refunds never exceed what was captured.", invariants.refunded_within_captured)
        register("refunds_in_flight", "The books hold in flight what the refunds do.", invariants.refunds_in_flight_match)
        register("stripe_balance", "The ledger's Stripe balance is Stripe's.", invariants.stripe_balance_matches)
        register("disputes_held", "The books hold for disputes what Stripe withdrew and nobody decided.", invariants.disputes_held_match)
        register("decided_disputes", "A decided dispute holds nothing.", invariants.decided_disputes_hold_nothing)
        register("earned", "Payments earned what the books hold of sales.", payout_invariants.earned_matches)
        register("payouts_in_transit", "The books hold on its way what the payouts do.", payout_invariants.payouts_in_transit_match)
        register("transferred", "What was transferred is in an account, on its way, or paid.", payout_invariants.transferred_matches)
        register("payouts_available", "No payout exceeds what was available when approved.", payout_invariants.payouts_within_available)
        register("documents", "Receipts and credit notes are numbered without gaps.", invariants.documents_without_gaps)
