from django.apps import AppConfig


class PromoCodesConfig(AppConfig):
    name = "promo_codes"
    verbose_name = "Promo codes"

    def ready(self) -> None:
        from ledger.invariants import register
        from organizations import belongings
        from promo_codes import invariants, purging  # noqa: F401  purging registers its task
        from promo_codes.belongings import PromoCodeBelongings

        belongings.register("promo_codes", PromoCodeBelongings())
        register(
            "promo_uses_counted",
            "A promo code counts as many uses as it has redemptions that count, and no more than it allows.",
            invariants.uses_are_counted,
            owner="support",
            mend="A trigger counts; a difference means it was off. Release or restore one of the code's redemptions to see which way.",
        )
