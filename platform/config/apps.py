from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """The project itself as an app, for its commands and its system checks."""

    name = "config"
    verbose_name = "project"

    def ready(self) -> None:
        from config import checks, niceness  # noqa: F401  registers the system checks

        niceness.extend_to_session()
