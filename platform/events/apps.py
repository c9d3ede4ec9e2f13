from django.apps import AppConfig
from django.core import checks


class EventsConfig(AppConfig):
    name = "events"

    def ready(self) -> None:
        from events import clock, commitments, usage_counts  # noqa: F401  for their tasks
        from events.belongings import EventBelongings
        from organizations import belongings

        checks.register(commitments.check_answered)
        belongings.register("events", EventBelongings())
