from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"

    def ready(self) -> None:
        from ledger import invariants

        invariants.register("trial_balance", "Debits equal credits in every currency.", invariants.trial_balance_is_zero)
