from django.apps import AppConfig


class OrganizationsConfig(AppConfig):
    name = "organizations"

    def ready(self) -> None:
        from organizations import admin_offers, closing, exports, invitation_answers, invitation_files  # noqa: F401  for their tasks
