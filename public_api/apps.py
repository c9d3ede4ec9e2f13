from django.apps import AppConfig


class PublicApiConfig(AppConfig):
    name = "public_api"

    def ready(self) -> None:
        from public_api import idempotency, throttling  # noqa: F401  they register their tasks
