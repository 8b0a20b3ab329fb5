"""The plain values of an emulated workspace: who and what exists before anything happens.

Lives here: seed dataclasses given by the caller, the JSON alias, the clock alias.
Not here: behaviour, rendering as Slack JSON (`people.py`), anything mutable.
Law: a seed is frozen; changing a person or a channel means replacing the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """Read the machine's clock, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSeed:
    """An account. A flag that is None is left out of the JSON, as Slack sometimes does."""

    id: str
    name: str
    real_name: str
    title: str = ""
    email: str = ""
    tz: str = "Etc/UTC"
    tz_label: str = "Coordinated Universal Time"
    tz_offset: int = 0
    locale: str = "en-US"
    team_id: str = ""
    is_bot: bool = False
    is_app_user: bool = False
    deleted: bool = False
    is_admin: bool = False
    is_owner: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool | None = None
    is_invited_user: bool | None = None
    is_workflow_bot: bool | None = None
    is_connector_bot: bool | None = None
    is_email_confirmed: bool | None = True
    has_2fa: bool | None = None
    enterprise_user: Mapping[str, Any] | None = None
    acts_as: str = ""
    """The id that interactions carry for this account; Grid sends either of its ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSeed:
    """A conversation. The app is a member when its bot user is among `members`."""

    id: str
    name: str
    members: tuple[str, ...] = ()
    topic: str = ""
    purpose: str = ""
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    is_org_shared: bool = False
    is_pending_ext_shared: bool = False
    im_user: str = ""

    @property
    def is_im(self) -> bool:
        """Say whether this is a direct message with one person."""
        return bool(self.im_user)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsergroupSeed:
    """A user group (`@handle`); a disabled one keeps its members but is hidden by default."""

    id: str
    handle: str
    name: str
    users: tuple[str, ...] = ()
    description: str = ""
    is_disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSeed:
    """Everything that exists before the app connects."""

    users: tuple[UserSeed, ...]
    channels: tuple[ChannelSeed, ...]
    usergroups: tuple[UsergroupSeed, ...] = ()
    team_id: str = "T0EMULATED"
    team_name: str = "Emulated"
    team_domain: str = "emulated"
    enterprise_id: str = ""
    is_org_install: bool = False
    """The app was installed by the organisation: its token must name the workspace."""
    app_id: str = "A0EMULATED"
    app_name: str = "app"
    bot_id: str = "B0EMULATED"
    bot_user_id: str = "U0EMUBOT"
    verification_token: str = field(default="emulated-verification", repr=False)
