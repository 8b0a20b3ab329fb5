"""The signing keys: making, listing, rotating and revoking them.

Lives here: ``placet keys``. Must not live here: where keys are kept, and the rules of their life.
Law: no private key and no secret is ever printed; what is done to a key is in the log, with the
name of the account that did it.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.environment import actor, settings_now
from bot.cli.output import AsJson, answered, emit, note, run, show, stamp, table, visible
from governance.errors import Code, InvalidInput

if TYPE_CHECKING:
    from bot.compose.keys import Rotated
    from governance.control import Control, PublicKey

app = typer.Typer(
    name="keys",
    help="The signing keys: who vouches for votes, checkpoints and the log's head.",
    no_args_is_help=True,
    epilog="Example: placet keys list",
)

_HEAD = "head"
_MOVED = "the keys moved to a place that signs no heads"


@app.command(epilog="Example: PLACET_SIGNER=file:/etc/placet/keys placet keys init")
@answered
def init(*, as_json: AsJson = False) -> None:
    """Make a key for each purpose that has none, and register it in the log.

    The purposes are one for each role that votes, checkpoints, and (for keys in files) the log's
    head. The first start of placet serve does the same for keys in files.
    """
    settings = settings_now()

    async def make() -> "list[PublicKey]":
        from bot.compose.keys import open_keys

        async with open_keys(settings, create=True) as keys:
            return list(await keys.init())

    made = run(make())
    if as_json:
        emit({"registered": [_described(key) for key in made]})
        return
    rows = ((key.id, key.purpose) for key in made)
    show(table("", ("registered", "purpose"), rows) if made else "Every purpose has its key.")


@app.command("list", epilog="Example: placet keys list --all --json")
@answered
def list_(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Show keys that have ended too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the keys as the log knows them: active, rotated out or revoked."""
    settings = settings_now()

    async def read() -> "Control":
        from bot.compose.tools import open_tools

        async with open_tools(settings) as opened:
            return await opened.reader.control()

    control = run(read())
    found = [key for key in control.keys.values() if all_ or key.id not in control.ended]
    if as_json:
        emit({"keys": [_described(key) | _ended(control, key) for key in found]})
        return
    rows = []
    for key in found:
        end = control.ended.get(key.id)
        until = (stamp(end.at), end.reason) if end else ("", "")
        rows.append((key.id, key.purpose, stamp(key.valid_from), *until))
    columns = ("id", "purpose", "from", "until", "why")
    show(table("", columns, rows) if rows else "No keys yet. Make them: placet keys init")


@app.command(
    epilog="Example: placet keys rotate vote:operator\n\n"
    "Example: placet keys rotate --all --to transit+https://vault.internal:8200/transit/placet"
)
@answered
def rotate(
    purpose: Annotated[
        str, typer.Argument(help="Purpose of the key (keys list), such as vote:operator.")
    ] = "",
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every active key.")] = False,
    to: Annotated[
        str, typer.Option(help="Where the new key is made, as PLACET_SIGNER says it.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Let a new key sign from here on; the old and the new one both sign that.

    What the old key signed stays valid. A service that runs takes the new key over by itself,
    unless it moved to another place: then set PLACET_SIGNER and start it again.
    """
    if bool(purpose) == all_:
        raise InvalidInput(Code.INVALID_FIELD, "name one purpose, or say --all", pointer="/purpose")
    settings = settings_now()
    done: list[Rotated] = []
    revoked: list[PublicKey] = []

    async def change() -> None:
        from bot.compose.keys import is_file, open_keys

        async with open_keys(settings) as keys:
            control = await keys.control()
            active = [key.purpose for key in control.keys.values() if key.id not in control.ended]
            for name in dict.fromkeys(active) if all_ else (purpose,):
                head = control.active_key(_HEAD)
                if all_ and name == _HEAD and head is not None and to and not is_file(to):
                    revoked.append(await keys.revoke(head.id, actor=actor(), reason=_MOVED))
                else:
                    done.append(await keys.rotate(name, actor=actor(), to=to or None))

    run(change())
    if as_json:
        rotated = [{"old": i.old.id, "new": _described(i.new), "note": i.note} for i in done]
        emit({"rotated": rotated, "revoked": [key.id for key in revoked]})
        return
    show(table("", ("purpose", "old", "new"), ((i.new.purpose, i.old.id, i.new.id) for i in done)))
    for item in done:
        note(visible(f"{item.old.id}: {item.note}"))
    for key in revoked:
        note(f"{key.id} is revoked: {_MOVED}")
    if to:
        note(f"Set PLACET_SIGNER={visible(to)} and start placet serve again.")


@app.command(
    epilog="Example: placet keys revoke vote-operator-0123456789abcdef --reason 'laptop stolen'"
)
@answered
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key (keys list).")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the log for good.")],
    as_json: AsJson = False,
) -> None:
    """Void whatever a key signs from here on; what stands before that in the log stays valid.

    Nothing takes its place by itself: placet keys init makes the next one.
    """
    settings = settings_now()

    async def end() -> "PublicKey":
        from bot.compose.tools import open_tools

        async with open_tools(settings) as opened:
            return await opened.administration.revoke_key(key_id, actor=actor(), reason=reason)

    ended = run(end())
    if as_json:
        emit({"revoked": ended.id, "purpose": ended.purpose})
        return
    show(f"Key {visible(ended.id)} is revoked. Nothing signs {visible(ended.purpose)} now:")
    note("make the next key with placet keys init, then start placet serve again.")


def _described(key: "PublicKey") -> dict[str, object]:
    return {"id": key.id, "purpose": key.purpose, "pem": key.pem}


def _ended(control: "Control", key: "PublicKey") -> dict[str, object]:
    end = control.ended.get(key.id)
    return {
        "valid_from": stamp(key.valid_from),
        "active": end is None,
        "ended_at": stamp(end.at) if end else None,
        "reason": end.reason if end else None,
        "successor": (end.successor or None) if end else None,
    }
