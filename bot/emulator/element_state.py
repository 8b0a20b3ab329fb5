"""What people have typed and chosen: the state of Block Kit elements.

Lives here: initial state, the state a choice makes, the action a click sends, required inputs.
Not here: where the state is kept (`workspace.py`), whether the app accepts it.
Law: a person can only choose what the element offers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bot.emulator.errors import MisuseError
from bot.emulator.values import JsonObject

_TEXT_INPUTS = frozenset({"plain_text_input", "email_text_input", "url_text_input", "number_input"})
_SINGLE = {
    "users_select": "user",
    "channels_select": "channel",
    "conversations_select": "conversation",
    "datepicker": "date",
    "timepicker": "time",
    "datetimepicker": "date_time",
}
_OPTION = frozenset({"static_select", "radio_buttons", "overflow"})
_OPTIONS = frozenset({"multi_static_select", "checkboxes"})
_STATELESS = frozenset({"button", "overflow", "image"})


def elements(blocks: Iterable[JsonObject]) -> Iterator[tuple[JsonObject, JsonObject]]:
    """Yield every (block, interactive element) in order."""
    for block in blocks:
        found = [block.get("accessory"), block.get("element")]
        if block.get("type") == "actions":
            found += block.get("elements") or []
        for element in found:
            if isinstance(element, dict) and element.get("action_id"):
                yield block, element


def options_of(element: JsonObject) -> list[JsonObject]:
    """List an element's options, grouped or not."""
    grouped = [o for g in element.get("option_groups") or () for o in g["options"]]
    return list(element.get("options") or grouped)


def initial(element: JsonObject) -> JsonObject:
    """Build the state an element has before anyone touches it."""
    kind = element["type"]
    if kind in _TEXT_INPUTS:
        return {"type": kind, "value": element.get("initial_value")}
    if kind in _OPTION or kind == "external_select":
        return {"type": kind, "selected_option": element.get("initial_option")}
    if kind in _OPTIONS:
        return {"type": kind, "selected_options": list(element.get("initial_options") or ())}
    if kind in _SINGLE:
        name = _SINGLE[kind]
        return {"type": kind, f"selected_{name}": element.get(f"initial_{name}")}
    if kind == "multi_users_select":
        return {"type": kind, "selected_users": list(element.get("initial_users") or ())}
    return {"type": kind}


def chosen(element: JsonObject, value: object) -> JsonObject:
    """Build the state after a person typed or chose `value` (an option's value, or a list).

    Raises: MisuseError when the element does not offer that choice.
    """
    kind = element["type"]
    if kind in _TEXT_INPUTS:
        return {"type": kind, "value": None if value in (None, "") else str(value)}
    if kind in _OPTION or kind == "external_select":
        return {"type": kind, "selected_option": None if value is None else _pick(element, value)}
    if kind in _OPTIONS:
        wanted = [value] if isinstance(value, str) else value
        listed = wanted if isinstance(wanted, (list, tuple, set, frozenset)) else ()
        return {"type": kind, "selected_options": [_pick(element, one) for one in listed]}
    if kind in _SINGLE:
        return {"type": kind, f"selected_{_SINGLE[kind]}": value}
    return {"type": kind, "selected_users": value} if kind == "multi_users_select" else {}


def _pick(element: JsonObject, value: object) -> JsonObject:
    for option in options_of(element):
        if option.get("value") == value:
            return option
    raise MisuseError(f"{element['action_id']} offers no option {value!r}")


def values(
    blocks: Iterable[JsonObject], touched: Mapping[tuple[str, str], JsonObject]
) -> JsonObject:
    """Build `state.values`: block_id -> action_id -> state."""
    state: JsonObject = {}
    for block, element in elements(blocks):
        if element["type"] in _STATELESS:
            continue
        at = (block["block_id"], element["action_id"])
        state.setdefault(at[0], {})[at[1]] = touched.get(at) or initial(element)
    return state


def action(block: JsonObject, element: JsonObject, state: JsonObject, ts: str) -> JsonObject:
    """Build the entry of `actions` that a click sends."""
    sent: JsonObject = {"action_id": element["action_id"], "block_id": block["block_id"]}
    if element["type"] == "button":
        sent["text"] = element["text"]
        for name in ("value", "style", "url", "confirm"):
            if name in element:
                sent[name] = element[name]
    else:
        sent |= state
        for name in ("placeholder", "initial_option", "initial_options", "confirm"):
            if name in element:
                sent[name] = element[name]
    return {**sent, "type": element["type"], "action_ts": ts}


def _is_empty(state: JsonObject) -> bool:
    return not any(v for k, v in state.items() if k != "type")


def unfilled(blocks: Iterable[JsonObject], state: JsonObject) -> dict[str, str]:
    """List what Slack's own client refuses before it sends a form: block_id -> message."""
    wrong: dict[str, str] = {}
    for block in blocks:
        if block.get("type") != "input":
            continue
        element = block["element"]
        own = state[block["block_id"]][element["action_id"]]
        if _is_empty(own):
            if not block.get("optional"):
                wrong[block["block_id"]] = "Please complete this required field."
            continue
        typed = own.get("value")
        if isinstance(typed, str):
            longest, shortest = element.get("max_length", 3000), element.get("min_length", 0)
            if len(typed) > longest:
                wrong[block["block_id"]] = f"Please enter no more than {longest} characters."
            elif len(typed) < shortest:
                wrong[block["block_id"]] = f"Please enter at least {shortest} characters."
    return wrong
