from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class ConsoleAdminConfig(SimpleAdminConfig):
    """Django's admin with our staff site as `admin.site`, and no search for admin.py files: admin_ext.registry names every class."""

    default = False
    default_site = "admin_ext.sites.StaffSite"


class AdminExtConfig(AppConfig):
    name = "admin_ext"
    verbose_name = "Console"
    default = True

    def ready(self) -> None:
        import admin_ext.registry  # noqa: F401  every registration, in one place
