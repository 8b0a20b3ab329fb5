"""What an error of Slack's Web API means for what was to be said, in one table.

Lives here: each code with the class of its remedy and the sentence for whoever must mend it.
Must not live here: calls, or when they are made. Law: every code is in one class: what is tried
again, what is posted anew, what waits for a person; a code that nobody knows is tried again and
never lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.slack.kit.language import N_


class Remedy(StrEnum):
    """What helps."""

    RETRY = "retry"
    """The same again, later."""
    REPOST = "repost"
    """The message cannot be changed any more: a new one takes its place."""
    MEND_APP = "mend_app"
    """A person must mend the app's token or rights; until then nothing can be said anywhere."""
    MEND_CHANNEL = "mend_channel"
    """A person must mend the channel; until then nothing can be said there."""
    MEND_MESSAGE = "mend_message"
    """Only this message cannot be said: it is a dead letter, and the others go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one code means; ``fix`` is a sentence for people, to be looked up."""

    remedy: Remedy
    fix: str


def _all(remedy: Remedy, fixes: Mapping[str, str]) -> dict[str, Meaning]:
    return {code: Meaning(remedy=remedy, fix=fix) for code, fix in fixes.items()}


_REINSTALL = N_("Install the app again and set PLACET_SLACK_BOT_TOKEN to its new bot token.")
_LIFT = N_("The workspace restricts who may post there: let the app post, or name another channel.")
_OURS = N_("Slack refuses what we made: please report it with the ticket's id.")
_OWN = N_("Name a channel of your own workspace, or allow it: shared_channels in the bundle.")
_RELOOK = N_("Slack could not take it then; it is tried again.")
MEANINGS: Mapping[str, Meaning] = {
    **_all(
        Remedy.RETRY,
        {
            "ratelimited": N_("Slack asked for a pause; it is kept."),
            "rate_limited": N_("Slack asked for a pause; it is kept."),
            "internal_error": _RELOOK,
            "fatal_error": _RELOOK,
            "service_unavailable": _RELOOK,
            "request_timeout": _RELOOK,
            "no_timestamp": _RELOOK,
        },
    ),
    **_all(
        Remedy.REPOST,
        dict.fromkeys(
            (
                "message_not_found",
                "cant_update_message",
                "edit_window_closed",
                "block_mismatch",
                "streaming_state_conflict",
            ),
            N_("The message is gone or closed; a new one takes its place."),
        ),
    ),
    **_all(
        Remedy.MEND_APP,
        {
            "invalid_auth": _REINSTALL,
            "not_authed": _REINSTALL,
            "account_inactive": _REINSTALL,
            "token_revoked": _REINSTALL,
            "token_expired": _REINSTALL,
            "not_allowed_token_type": N_("Set PLACET_SLACK_BOT_TOKEN to the bot token (xoxb-...)."),
            "missing_scope": N_(
                "Add the scope that placet manifest lists and install the app again."
            ),
            "no_permission": N_(
                "Add the scope that placet manifest lists and install the app again."
            ),
            "access_denied": N_("An administrator of the workspace must allow the app."),
            "app_access_restricted": N_("An administrator of the workspace must allow the app."),
            "team_access_not_granted": N_("Grant the app access to this workspace."),
            "team_not_found": N_("Install the app in the workspace that PLACET_SLACK_TEAM names."),
            "ekm_access_denied": N_(
                "An administrator must restore the workspace's encryption keys."
            ),
            "org_login_required": N_(
                "The workspace is being moved; wait, or ask its administrator."
            ),
        },
    ),
    **_all(
        Remedy.MEND_CHANNEL,
        {
            "not_in_channel": N_("Invite the app to the channel: /invite @placet"),
            "channel_not_found": N_(
                "Name a channel that exists and, where it is private, invite the app to it."
            ),
            "is_archived": N_("Unarchive the channel or name another one."),
            **dict.fromkeys(
                (
                    "shared_with_outsiders",
                    "outsiders_were_invited",
                    "shared_in_organisation",
                    "sharing_unknown",
                ),
                _OWN,
            ),
            "is_inactive": N_("Unarchive the channel or name another one."),
            "restricted_action": _LIFT,
            "restricted_action_read_only_channel": _LIFT,
            "restricted_action_thread_only_channel": _LIFT,
            "restricted_action_non_threadable_channel": _LIFT,
        },
    ),
    **_all(
        Remedy.MEND_MESSAGE,
        {
            "messages_tab_disabled": N_("Switch the app's messages tab on (placet manifest does)."),
            "user_not_found": N_("The account is gone; name somebody else in the bundle."),
            "user_disabled": N_("The account is deactivated; name somebody else in the bundle."),
            "cannot_dm_bot": N_("Name a person in the bundle, not an app."),
            "user_not_in_channel": N_("Invite the person to the channel."),
            "not_enabled": N_("Switch the app's home tab on (placet manifest does)."),
            "invalid_blocks": _OURS,
            "invalid_blocks_format": _OURS,
            "msg_blocks_too_long": _OURS,
            "msg_too_long": _OURS,
            "metadata_too_large": _OURS,
            "no_text": _OURS,
            "invalid_arguments": _OURS,
            "unknown_method": N_("PLACET_SLACK_API_URL does not lead to Slack's Web API."),
        },
    ),
}
"""Slack's codes; ``placet doctor`` and the home tab say the sentences."""

UNKNOWN = Meaning(
    remedy=Remedy.RETRY, fix=N_("Slack answered with a code that Placet does not know.")
)


def meaning(code: str) -> Meaning:
    """What ``code`` means; one that nobody knows is tried again."""
    return MEANINGS.get(code, UNKNOWN)
