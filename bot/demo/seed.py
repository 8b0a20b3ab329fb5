"""The people, channels and files of the demo.

Lives here: data only. Must not live here: anything that acts on it. Law: the ids are those that
the shipped ``demo`` bundle names.
"""

from dataclasses import replace

from bot.emulator.values import ChannelSeed, UserSeed, WorkspaceSeed

TEAM, APP, BOT = "T0PLACET", "A0PLACET", "U0PLACET"
APPROVALS, AUDIT, GENERAL = "C0APPROVALS", "C0AUDIT", "C0GENERAL"
OWNER = "U0DANA"
ROLES: dict[str, tuple[str, ...]] = {
    "operator": ("U0OLIVIA", "U0OMAR"),
    "reviewer": ("U0RIN", "U0RAVI", "U0RUTH"),
    "security-admin": ("U0SAGE",),
    "owner": (OWNER,),
    "guest": ("U0GUS",),
}
"""Who is what; the last two hold no approver's role."""


def _user(user_id: str, real_name: str, title: str, tz: str, hours: int) -> UserSeed:
    name = real_name.split(maxsplit=1)[0].lower()
    return UserSeed(
        id=user_id,
        name=name,
        real_name=real_name,
        title=title,
        email=f"{name}@example.com",
        tz=tz,
        tz_label=tz,
        tz_offset=hours * 3600,
        team_id=TEAM,
    )


USERS = (
    _user("U0OLIVIA", "Olivia Ortega", "Operator", "Europe/Madrid", 1),
    _user("U0OMAR", "Omar Haddad", "Operator", "Africa/Cairo", 2),
    _user("U0RIN", "Rin Sato", "Reviewer", "Asia/Tokyo", 9),
    _user("U0RAVI", "Ravi Menon", "Reviewer", "Asia/Kolkata", 5),
    _user("U0RUTH", "Ruth Adler", "Reviewer", "America/New_York", -5),
    _user("U0SAGE", "Sage Lindqvist", "Security admin", "Europe/Stockholm", 1),
    _user(OWNER, "Dana Novak", "Owns deploy-bot", "Europe/Prague", 1),
    replace(_user("U0GUS", "Gus Visitor", "Guest", "Europe/London", 0), is_restricted=True),
    replace(_user(BOT, "Placet", "App", "Etc/UTC", 0), is_bot=True),
)
_EVERYBODY = tuple(user.id for user in USERS)

WORKSPACE = WorkspaceSeed(
    users=USERS,
    channels=(
        ChannelSeed(
            id=APPROVALS,
            name="approvals",
            members=_EVERYBODY,
            topic="What agents want to do: approve, reject, or ask",
        ),
        ChannelSeed(
            id=AUDIT,
            name="placet-audit",
            members=_EVERYBODY,
            topic="Every step, as it is written to the log",
        ),
        ChannelSeed(id=GENERAL, name="general", members=_EVERYBODY, topic="Everything else"),
    ),
    team_id=TEAM,
    team_name="Placet demo",
    team_domain="placet-demo",
    app_id=APP,
    app_name="Placet",
    bot_id="B0PLACET",
    bot_user_id=BOT,
)
CHANNELS = {channel.name: channel.id for channel in WORKSPACE.channels}

SITE_FILES = {
    "app/settings.ini": "[limits]\nmax_connections = 100\n\n[banner]\ntext = hello\n",
    "records/customers.csv": "id,plan\n1,free\n2,team\n3,team\n4,enterprise\n",
}
"""What the folder that the bundle calls ``site`` holds at first."""
