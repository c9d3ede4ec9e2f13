from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"

    def ready(self) -> None:
        from ledger import invariant_runs, invariants  # noqa: F401  invariant_runs registers its task

        invariants.register(
            "trial_balance",
            "Debits equal credits in every currency.",
            invariants.trial_balance_is_zero,
            owner="finance",
            mend="PostgreSQL refuses this at commit; a violation means its triggers were off. Stop the workers and restore.",
        )
