from django.apps import AppConfig
from django.core import checks


class EventsConfig(AppConfig):
    name = "events"

    def ready(self) -> None:
        from billing import plan_blockers
        from events import clock, commitments, plan_fit, usage_counts  # noqa: F401  for their tasks
        from events.belongings import EventBelongings
        from organizations import belongings

        plan_blockers.register("events", plan_fit.blockers)
        checks.register(commitments.check_answered)
        belongings.register("events", EventBelongings())
