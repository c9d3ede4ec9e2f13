"""Nothing escapes the permission matrix: every permission, screen, form, button, bulk action and route stands in its drivers."""

import json

from admin_ext.sites import console_site, staff_site
from config.env import BASE_DIR
from organizations.permissions import Permission
from tests.organizations import drivers
from tests.organizations.expected import TABLE

ADMINS = {model._meta.label_lower: admin for model, admin in staff_site._registry.items()}
HOW = "tests/organizations/drivers.py says how each is driven; add the new one there, and its object to tests/organizations/matrix.py"


class TestTheMatrix:
    def test_drives_every_permission(self) -> None:
        assert drivers.driven() | drivers.WITHOUT_SURFACE == {str(permission) for permission in Permission} == set(TABLE), HOW
        assert not drivers.driven() & drivers.WITHOUT_SURFACE

    def test_drives_every_screen(self) -> None:
        assert set(drivers.SCREENS) == set(ADMINS), HOW
        assert {model._meta.label_lower for model in console_site._registry} <= set(ADMINS)

    def test_drives_every_button_and_knows_its_permission(self) -> None:
        buttons = {f"{label}:{name}": getattr(type(admin), name).button for label, admin in ADMINS.items() for name in admin.buttons}

        assert {cell: str(button.permission) for cell, button in buttons.items()} == {
            cell: press.permission for cell, press in drivers.BUTTONS.items()
        }, HOW

    def test_drives_every_bulk_action_and_knows_its_permission(self) -> None:
        actions = {f"{label}:{one.__name__}": str(one.permission) for label, admin in ADMINS.items() for one in admin.actions}

        assert actions == drivers.BULK, HOW

    def test_drives_every_export(self) -> None:
        assert {label for label, admin in ADMINS.items() if admin.export_fields} == set(drivers.EXPORTS), HOW

    def test_drives_every_form_and_knows_its_permission(self) -> None:
        edited = {label: str(admin.edit_permission) for label, admin in ADMINS.items() if admin.edit_fields}
        added = {label: str(admin.add_permission) for label, admin in ADMINS.items() if admin.add_permission is not None}

        assert edited == {label: form.permission for label, form in drivers.FORMS.items()}, HOW
        assert added == {label: form.permission for label, form in drivers.FORMS.items() if form.add}, HOW

    def test_drives_every_route_that_a_permission_decides(self) -> None:
        paths = json.loads((BASE_DIR / "public_api/openapi.json").read_text(encoding="utf-8"))["paths"]
        routes = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}

        assert set(drivers.ROUTES) | drivers.WITHOUT_PERMISSION == routes, HOW
        assert not set(drivers.ROUTES) & drivers.WITHOUT_PERMISSION
