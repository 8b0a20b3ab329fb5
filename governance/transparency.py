"""What the log shows of itself: checkpoints, proofs, cosignatures.

Lives here: that as values and as a protocol. Must not live here: how proofs are made (``storage``),
or checked (``governance.proofs``). Law: a proof is given only up to a signed checkpoint, and only
when it leads to that checkpoint's root.
"""

from dataclasses import dataclass
from typing import Protocol

from governance.control import Control
from governance.tickets.binding import stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A checkpoint that was signed and recorded; ``note`` has the cosignatures that came since."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A witness's signature line under the checkpoint of ``size``."""

    size: int
    name: str
    line: str


class Transparency(Protocol):
    """Proofs of one log."""

    async def newest(self) -> Published | None:
        """The newest checkpoint; None before the first."""
        ...

    async def published(self, size: int) -> Published | None:
        """The checkpoint of exactly ``size`` records, if there is one."""
        ...

    async def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]:
        """The hashes that lead from record ``seq`` to the root of the first ``size`` records.

        Raises:
            InvalidInput: ``invalid_field``: no such record or size, with a pointer.
            Unavailable: ``not_checkpointed``: beyond the newest checkpoint; ``ledger_unavailable``:
                the log does not have the root that was signed.
        """
        ...

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """The hashes that show that the first ``old`` of ``new`` records are the same.

        Raises:
            InvalidInput, Unavailable: as ``inclusion``.
        """
        ...

    async def cosign(self, cosignature: Cosignature) -> None:
        """Keep a cosignature that was verified; a witness's newer one replaces its older one."""
        ...


def key_facts(control: Control) -> list[dict[str, str]]:
    """Every key that the log names, with when it signed; ``ended_at`` is empty while it does."""
    found = []
    for key in control.keys.values():
        end = control.ended.get(key.id)
        found.append(
            {
                "id": key.id,
                "purpose": key.purpose,
                "pem": key.pem,
                "valid_from": stamp(key.valid_from),
                "ended_at": stamp(end.at) if end else "",
                "reason": end.reason if end else "",
                "successor": end.successor if end else "",
            }
        )
    return found
