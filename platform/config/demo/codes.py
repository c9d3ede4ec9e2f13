"""The demo's promo code: anybody can try it on the events of one organization."""

from datetime import datetime, timedelta

from config.demo.catalogue import BY, RIVERSIDE
from promo_codes import authoring

CODE = "WELCOME20"


def write(anchor: datetime) -> None:
    authoring.create(
        organization_id=RIVERSIDE,
        by=BY,
        code=CODE,
        description="For everybody who tries the demo",
        kind="percent",
        basis_points=2000,
        cap_amount=5000,
        currency="USD",
        ends_at=anchor + timedelta(days=365),
        max_uses=100,
    )
