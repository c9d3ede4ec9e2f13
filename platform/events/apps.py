from django.apps import AppConfig
from django.core import checks


class EventsConfig(AppConfig):
    name = "events"

    def ready(self) -> None:
        from events import clock, commitments  # noqa: F401  clock registers its task
        from events.belongings import EventBelongings
        from organizations import belongings

        checks.register(commitments.check_answered)
        belongings.register("events", EventBelongings())
