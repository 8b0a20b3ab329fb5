"""Checks of where roles come from, and who may read along.

Lives here: findings about sources of roles that cannot be asked, and about shared channels.
Must not live here: whether a tier can be met (``bundle``). Law: ``placet check`` asks nobody; what
``placet doctor`` asks changes nothing.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.cli.checks.findings import Finding, Level
from bot.people.directories import Groups, LookupFailedError
from bot.settings import Settings, SlackMode
from governance.policy.model import Bundle, Sharing

if TYPE_CHECKING:
    from bot.cli.checks.bundle import Loaded

AREA = "people"
_WITHOUT_SLACK = (
    "role {role} names {what}, and without Slack nobody can be asked about them: name people by id"
)
_WITHOUT_SCIM = (
    "role {role} names {what}, and PLACET_SCIM_URL is not set: nobody holds the role by it"
)
_ASKED = "directory group {name}: {count} active members with an address of their own"
_NOT_ASKED = (
    "directory group {name} could not be asked ({why}): nobody holds role {role} by it until "
    "PLACET_SCIM_URL answers"
)
_SHARED = (
    "cards may be posted in channels that are shared with {whom}: directory.shared_channels is "
    "{word}"
)
_WHOM = {Sharing.ORGANISATION: "other workspaces", Sharing.OUTSIDERS: "other organisations"}


async def group_findings(groups: Groups, bundle: Bundle | None) -> list[Finding]:
    """What the company's directory answers about each group that a role names."""
    roles = {} if bundle is None else bundle.directory
    named = {name: role for role, one in roles.items() for name in one.directory_groups}
    found: list[Finding] = []
    for name, role in named.items():
        place = f"/directory/roles/{role}/directory_groups"
        try:
            text = _ASKED.format(name=name, count=len(await groups.addresses(name)))
            found.append(Finding(area=AREA, level=Level.NOTE, text=text, place=place))
        except LookupFailedError as error:
            text = _NOT_ASKED.format(name=name, role=role, why=error.code)
            found.append(Finding(area=AREA, level=Level.PROBLEM, text=text, place=place))
    return found


def people_findings(settings: Settings, loaded: "Loaded") -> Iterator[Finding]:
    """What the directory of a bundle asks for and these settings cannot give."""
    for role, held in loaded.bundle.directory.items():
        place = str(loaded.source.mark(f"/directory/roles/{role}"))
        if settings.slack_mode is SlackMode.OFF and held.outside:
            text = _WITHOUT_SLACK.format(role=role, what=", ".join(held.outside))
            yield Finding(area=AREA, level=Level.WARNING, text=text, place=place)
        elif held.directory_groups and not settings.scim_url:
            what = ", ".join(f"directory group {name}" for name in held.directory_groups)
            text = _WITHOUT_SCIM.format(role=role, what=what)
            yield Finding(area=AREA, level=Level.WARNING, text=text, place=place)
    sharing = loaded.bundle.shared_channels
    if sharing is not Sharing.REFUSE:
        is_inside = sharing is Sharing.ORGANISATION
        yield Finding(
            area=AREA,
            level=Level.NOTE if is_inside else Level.WARNING,
            text=_SHARED.format(whom=_WHOM[sharing], word=sharing.value),
            place=str(loaded.source.mark("/directory/shared_channels")),
        )
