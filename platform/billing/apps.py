from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing import invariants, sweeps  # noqa: F401  sweeps registers its tasks
        from billing.webhooks import replay  # noqa: F401  as above
        from ledger.invariants import register

        register("refunded_within_captured", "Refunds never exceed what was captured.", invariants.refunded_within_captured)
        register("refunds_in_flight", "The books hold in flight what the refunds do.", invariants.refunds_in_flight_match)
        register("stripe_balance", "The ledger's Stripe balance is Stripe's.", invariants.stripe_balance_matches)
