"""People who sign in. What one may do derives from staff groups and memberships; nothing about it is stored here."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower

from accounts.querysets import UserQuerySet
from audit.actor import StaffGroup
from core.full_text import Words
from core.models import BaseModel


class UserManager(BaseUserManager["User"].from_queryset(UserQuerySet)):  # type: ignore[misc]  # a dynamic base, as Django builds it
    def create_user(self, email: str, password: str | None = None, **values: Any) -> "User":
        user: User = self.model(email=self.normalize_email(email).lower(), **values)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        user: User = self.get(email__iexact=username)
        return user


class User(AbstractBaseUser, PermissionsMixin, BaseModel):
    """A person with an email sign-in; staff_groups names what the platform's own people are."""

    public_prefix = "usr"

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=200, blank=True)
    staff_groups = models.JSONField(default=list, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    is_active = models.BooleanField(default=True)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]
        indexes = [GinIndex(Words("email", "name"), name="user_words")]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        super().clean()
        unknown = set(self.staff_groups) - {str(group) for group in StaffGroup}
        if unknown:
            raise ValidationError({"staff_groups": f"Unknown staff group: {', '.join(sorted(unknown))}."})

    @property
    def is_staff(self) -> bool:
        """Django's name for "may enter the staff site": true for every staff group."""
        return bool(self.staff_groups) or self.is_superuser

    @property
    def groups_of_staff(self) -> frozenset[StaffGroup]:
        groups = {StaffGroup(group) for group in self.staff_groups}
        return frozenset(groups | ({StaffGroup.SUPERUSER} if self.is_superuser else set()))
