from entitlements.models.grant import COUNTED, Allowance, Grant, Resource
from entitlements.models.reports import UsageDrift, UsageWarning

__all__ = ["COUNTED", "Allowance", "Grant", "Resource", "UsageDrift", "UsageWarning"]
