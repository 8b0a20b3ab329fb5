"""Receipts made: events of the log, with what proves that they are in it.

Lives here: from records to a receipt, and its bytes, for every door that gives one away. Must not
live here: who may have which (each door asks), the form of a receipt (``governance.receipts``).
Law: the same events under the same checkpoint are the same bytes at every door.
"""

from collections.abc import Sequence

import orjson

from governance.errors import Code, Unavailable
from governance.ports import Logged, Reader
from governance.receipts import Entry, Receipt
from governance.sentences import Sentence
from governance.transparency import Published, Transparency, key_facts

MOST_EVENTS = 200
"""Events in one receipt; the oldest ones, and those after them by their numbers."""
_PURPOSE = "checkpoint"


async def newest(proofs: Transparency) -> Published:
    """The newest checkpoint.

    Raises:
        Unavailable: ``not_checkpointed``: there is none yet.
    """
    found = await proofs.newest()
    if found is None:
        raise Unavailable(Code.NOT_CHECKPOINTED, Sentence("no checkpoint was signed yet"))
    return found


async def receipt_of(records: Sequence[Logged], *, proofs: Transparency, reader: Reader) -> Receipt:
    """A receipt of those of ``records`` that the newest checkpoint covers.

    Raises:
        Unavailable: ``not_checkpointed``: it covers none of them; as ``Transparency.inclusion``.
    """
    signed = await newest(proofs)
    covered = [item for item in records if item.seq <= signed.size][:MOST_EVENTS]
    if not covered:
        raise Unavailable(
            Code.NOT_CHECKPOINTED,
            Sentence(
                "the newest checkpoint ends at event {size}; the next one will cover it",
                size=signed.size,
            ),
        )
    entries = [
        Entry(
            seq=item.seq,
            event=item.encoded,
            proof=await proofs.inclusion(item.seq, signed.size),
        )
        for item in covered
    ]
    facts = key_facts(await reader.control())
    return Receipt(
        checkpoint=signed.note,
        entries=tuple(entries),
        keys=tuple(item for item in facts if item["purpose"] == _PURPOSE),
    )


def encoded(receipt: Receipt) -> bytes:
    """A receipt as it is given away: JSON in UTF-8."""
    return orjson.dumps(receipt.to_json())
