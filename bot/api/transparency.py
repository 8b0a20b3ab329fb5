"""Checkpoints, proofs, keys and cosignatures over HTTP.

Lives here: what auditors and witnesses ask. Must not live here: receipts (``receipts``), making or
checking proofs. Law: hashes may be read by whoever may read anything; a cosignature is kept for
what it proves, not for who sends it.
"""

import base64
from collections.abc import Iterable

from aiohttp import web

from bot import receipts
from bot.api import audit_answers as audits
from bot.api import bodies, schemas
from bot.api.calls import Call, answer
from governance.errors import Code, InvalidInput, Refused, Unavailable
from governance.note_keys import NoteError, NoteKey, ecdsa_key
from governance.notes import Note, cosigned_at, only_by, parse_checkpoint, parse_note, render
from governance.transparency import Cosignature, Published, Transparency, key_facts

_CHECKPOINT = "checkpoint"


def proofs_of(call: Call) -> Transparency:
    """The log's proofs.

    Raises:
        Unavailable: ``not_ready``: there are none in this process.
    """
    if call.deps.transparency is None:
        raise Unavailable(Code.NOT_READY, "this process gives no proofs")
    return call.deps.transparency


async def newest(call: Call) -> Published:
    """The newest checkpoint.

    Raises:
        Unavailable: ``not_checkpointed``: there is none yet; as ``proofs_of``.
    """
    return await receipts.newest(proofs_of(call))


async def get_checkpoint(call: Call) -> web.Response:
    """The newest signed checkpoint, or that of one size; as bare text for Accept: text/plain."""
    size = bodies.query_number(call.request, "size", default=0)
    found = await proofs_of(call).published(size) if size else await newest(call)
    if found is None:
        raise Refused(Code.NOT_FOUND, f"no checkpoint of {size} events", pointer="/query/size")
    if "text/plain" in call.request.headers.get("Accept", ""):
        return web.Response(text=found.note, content_type="text/plain", charset="utf-8")
    return answer(
        audits.CheckpointAnswer(
            origin=call.deps.origin,
            size=found.size,
            root=base64.b64encode(found.root).decode(),
            note=found.note,
        )
    )


async def get_inclusion(call: Call) -> web.Response:
    """That an event is in the tree of a size: the hashes beside its way up."""
    seq = bodies.query_number(call.request, "seq")
    signed = await newest(call)
    size = bodies.query_number(call.request, "size", default=signed.size)
    hashes = await proofs_of(call).inclusion(seq, size)
    return answer(audits.InclusionAnswer(seq=seq, size=size, hashes=in_base64(hashes)))


async def get_consistency(call: Call) -> web.Response:
    """That the tree of a size begins with an older one: the hashes that show it."""
    old = bodies.query_number(call.request, "from")
    signed = await newest(call)
    new = bodies.query_number(call.request, "to", default=signed.size)
    hashes = await proofs_of(call).consistency(old, new)
    return answer(audits.ConsistencyAnswer(from_size=old, to_size=new, hashes=in_base64(hashes)))


async def get_keys(call: Call) -> web.Response:
    """Every public key that the log names, from when until when it signs."""
    facts = key_facts(await call.deps.reader.control())
    keys = [audits.KeyAnswer(**item, vkey=_vkey(call.deps.origin, item)) for item in facts]
    witnesses = [key.vkey for key in call.deps.witnesses]
    return answer(audits.KeysAnswer(origin=call.deps.origin, keys=keys, witnesses=witnesses))


def _vkey(origin: str, facts: dict[str, str]) -> str:
    if facts["purpose"] != _CHECKPOINT:
        return ""
    try:
        return ecdsa_key(origin, facts["pem"]).vkey
    except NoteError:  # the log holds what it was given; it is not ours to hide a bad key
        return ""


async def post_cosignature(call: Call) -> web.Response:
    """A witness's signature beneath a checkpoint of this log, to be handed on with it."""
    form = await call.body(schemas.CosignatureForm)
    try:
        told = parse_checkpoint(form.checkpoint)
        published = await proofs_of(call).published(told.size)
        if published is None or parse_note(published.note).text != told.note.text:
            raise _bad("this log signed no such checkpoint")
        times = {key: cosigned_at(told.note, key) for key in call.deps.witnesses}
    except NoteError as error:
        raise _bad(str(error)) from error
    seen = [key for key, time_s in times.items() if time_s]
    if not seen:
        raise Refused(Code.FORBIDDEN, "none of its signatures is by a witness of this log")
    known = parse_note(published.note)
    for key in seen:
        if times[key] > cosigned_at(known, key):
            kept = Cosignature(size=told.size, name=key.name, line=_newest_line(told.note, key))
            await proofs_of(call).cosign(kept)
    names = [key.name for key in call.deps.witnesses if key in seen or cosigned_at(known, key)]
    return answer(audits.CosignedAnswer(size=told.size, witnesses=names))


def _newest_line(note: Note, key: NoteKey) -> str:
    mine = only_by(note, (key,)).lines
    newest_line = max(mine, key=lambda line: line.signature[:8])
    return render(Note(text="", lines=(newest_line,))).strip()


def in_base64(hashes: Iterable[bytes]) -> list[str]:
    """Hashes as text."""
    return [base64.b64encode(item).decode() for item in hashes]


def _bad(message: str) -> InvalidInput:
    return InvalidInput(Code.INVALID_FIELD, message, pointer="/checkpoint")
