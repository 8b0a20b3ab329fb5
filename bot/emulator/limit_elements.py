"""Slack's limits for composition objects and block elements.

Lives here: texts, options, confirm dialogs, buttons, menus, inputs and their numbers.
Not here: blocks and surfaces (`limits.py`), rich text (`limit_rich.py`).
Law: this table is the emulator's own, so that it can contradict the app's.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.emulator.limit_rules import (
    Check,
    Findings,
    Table,
    anything,
    boolean,
    many,
    one_of,
    record,
    refuse,
    string,
    typed,
    unique,
    whole,
)

ACTION_ID = string(255, shortest=1)
URL = string(3000, shortest=1)
VALUE = string(2000)
MAX_OPTIONS = 100
MAX_INPUT = 3000


def plain(longest: int, *, shortest: int = 1) -> Check:
    """Accept a plain_text object."""
    return record(
        {
            "type": one_of("plain_text"),
            "text": string(longest, shortest=shortest),
            "emoji": boolean,
        },
        required=("type", "text"),
    )


def prose(longest: int) -> Check:
    """Accept a plain_text or a mrkdwn object."""
    mrkdwn = record(
        {"type": anything, "text": string(longest, shortest=1), "verbatim": boolean},
        required=("type", "text"),
    )
    return typed({"plain_text": plain(longest), "mrkdwn": mrkdwn})


CONFIRM = record(
    {
        "title": plain(100),
        "text": prose(300),
        "confirm": plain(30),
        "deny": plain(30),
        "style": one_of("primary", "danger"),
    },
    required=("title", "text", "confirm", "deny"),
)


def _option(text: Check) -> Check:
    return record(
        {"text": text, "value": string(150), "description": prose(75), "url": URL},
        required=("text", "value"),
    )


def _options(value: object, at: str, out: Findings) -> None:
    many(_option(plain(75)), fewest=1, most=MAX_OPTIONS)(value, at, out)
    unique("value", value, at, out)


def _choices(value: object, at: str, out: Findings) -> None:
    many(_option(prose(75)), fewest=1, most=10)(value, at, out)
    unique("value", value, at, out)


GROUPS = many(
    record({"label": plain(75), "options": _options}, required=("label", "options")),
    fewest=1,
    most=MAX_OPTIONS,
)

_COMMON: Table = {"type": anything, "action_id": ACTION_ID}
_FOCUS: Table = {**_COMMON, "focus_on_load": boolean}
_ASKS: Table = {**_FOCUS, "confirm": CONFIRM, "placeholder": plain(150)}
_TYPED_IN: Table = {**_FOCUS, "placeholder": plain(150), "dispatch_action_config": anything}


def _menu_source(value: object, at: str, out: Findings) -> None:
    given = [n for n in ("options", "option_groups") if isinstance(value, dict) and n in value]
    if len(given) != 1:
        refuse(out, at, "exactly one of options and option_groups must be provided")


def _menu(extra: Mapping[str, Check], *, local: bool = False) -> Check:
    own: Table = {"options": _options, "option_groups": GROUPS} if local else {}
    return record(
        {**_ASKS, **own, **extra}, required=("type",), also=_menu_source if local else anything
    )


def _image_source(value: object, at: str, out: Findings) -> None:
    given = [n for n in ("image_url", "slack_file") if isinstance(value, dict) and n in value]
    if len(given) != 1:
        refuse(out, at, "exactly one of image_url and slack_file must be provided")


SLACK_FILE = record({"id": string(255, shortest=1), "url": URL})
IMAGE = record(
    {"type": anything, "image_url": URL, "slack_file": SLACK_FILE, "alt_text": string(2000)},
    required=("type", "alt_text"),
    also=_image_source,
)
BUTTON = record(
    {
        **_COMMON,
        "text": plain(75),
        "url": URL,
        "value": VALUE,
        "style": one_of("primary", "danger"),
        "confirm": CONFIRM,
        "accessibility_label": string(75),
    },
    required=("type", "text"),
)
OVERFLOW = record(
    {**_COMMON, "options": many(_option(plain(75)), fewest=1, most=5), "confirm": CONFIRM},
    required=("type", "options"),
)
_ONE = _option(prose(75))
CHECKBOXES = record(
    {
        **_FOCUS,
        "options": _choices,
        "initial_options": many(_ONE, fewest=1, most=10),
        "confirm": CONFIRM,
    },
    required=("type", "options"),
)
RADIO = record(
    {**_FOCUS, "options": _choices, "initial_option": _ONE, "confirm": CONFIRM},
    required=("type", "options"),
)
_MAX_SELECTED = whole(1, MAX_OPTIONS)
_STRINGS = many(string(255, shortest=1), most=MAX_OPTIONS)
_MANY_OPTIONS = many(_option(plain(75)), fewest=1, most=MAX_OPTIONS)

MENUS: Table = {
    "static_select": _menu({"initial_option": _option(plain(75))}, local=True),
    "multi_static_select": _menu(
        {"initial_options": _MANY_OPTIONS, "max_selected_items": _MAX_SELECTED}, local=True
    ),
    "external_select": _menu(
        {"initial_option": _option(plain(75)), "min_query_length": whole(0, 150)}
    ),
    "users_select": _menu({"initial_user": string(255)}),
    "multi_users_select": _menu({"initial_users": _STRINGS, "max_selected_items": _MAX_SELECTED}),
    "channels_select": _menu({"initial_channel": string(255), "response_url_enabled": boolean}),
    "conversations_select": _menu(
        {
            "initial_conversation": string(255),
            "default_to_current_conversation": boolean,
            "response_url_enabled": boolean,
            "filter": anything,
        }
    ),
    "datepicker": _menu({"initial_date": string(10, shortest=10)}),
    "timepicker": _menu({"initial_time": string(5, shortest=5), "timezone": string(255)}),
    "datetimepicker": record(
        {**_FOCUS, "confirm": CONFIRM, "initial_date_time": whole(10**9, 10**10 - 1)},
        required=("type",),
    ),
}
INPUTS: Table = {
    **MENUS,
    "checkboxes": CHECKBOXES,
    "radio_buttons": RADIO,
    "plain_text_input": record(
        {
            **_TYPED_IN,
            "initial_value": string(MAX_INPUT),
            "multiline": boolean,
            "min_length": whole(0, MAX_INPUT),
            "max_length": whole(1, MAX_INPUT),
        },
        required=("type",),
    ),
    "email_text_input": record({**_TYPED_IN, "initial_value": string(MAX_INPUT)}),
    "url_text_input": record({**_TYPED_IN, "initial_value": string(MAX_INPUT)}),
    "number_input": record(
        {
            **_TYPED_IN,
            "is_decimal_allowed": boolean,
            "initial_value": string(MAX_INPUT),
            "min_value": string(MAX_INPUT),
            "max_value": string(MAX_INPUT),
        },
        required=("type", "is_decimal_allowed"),
    ),
}
IN_ACTIONS: Table = {
    **MENUS,
    "button": BUTTON,
    "overflow": OVERFLOW,
    "checkboxes": CHECKBOXES,
    "radio_buttons": RADIO,
}
ACCESSORIES: Table = {**IN_ACTIONS, "image": IMAGE}


def check_options(options: object) -> Findings:
    """List why Slack would refuse these options of a menu that the app fills."""
    out: Findings = []
    many(_option(plain(75)), most=MAX_OPTIONS)(options, "/options", out)
    unique("value", options, "/options", out)
    return out
