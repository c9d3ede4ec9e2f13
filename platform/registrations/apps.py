from django.apps import AppConfig


class RegistrationsConfig(AppConfig):
    name = "registrations"

    def ready(self) -> None:
        from accounts import verified_emails
        from billing import fulfillment
        from events import commitments
        from ledger.invariants import register
        from organizations import belongings
        from registrations import attendance_files, holds, invariants, joining, registering, sold_places, verdicts  # noqa: F401  their tasks
        from registrations.belongings import RegistrationBelongings
        from registrations.fulfillment import RegistrationFulfillment

        fulfillment.register(registering.PURPOSE, RegistrationFulfillment())
        belongings.register("registrations", RegistrationBelongings())
        commitments.register(sold_places.sold)
        verified_emails.register(joining.join_verified)
        register(
            "seats_counted",
            "Sold and held places are what the event counts.",
            invariants.seats_are_counted,
            owner="support",
            mend="A trigger counts; a difference means it was off. Save one of the event's registrations to count anew.",
        )
        register(
            "promo_redemptions_follow_places",
            "A promo code's use is reserved for a held place, consumed by a confirmed one, and released with one that was given up.",
            invariants.redemptions_follow_places,
            owner="support",
            mend="Look at the place's timeline: cancel it, or confirm it, by its button; the use follows.",
        )
        register(
            "captured_has_place",
            "Captured money has a place, a refund, or a record why not.",
            invariants.captured_money_has_a_place,
            owner="finance",
            mend="Open the payment and refund it, or register the buyer anew.",
        )
