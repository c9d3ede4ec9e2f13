from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import boot_checks, session_lifetime  # noqa: F401  they register a check and a task
