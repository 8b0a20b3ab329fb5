"""Checkpoints as signed notes: the text that is signed, and the note around it.

Lives here: making them. Must not live here: reading and checking them (``notes``), which shares no
code with this. Law: the same log gives the same text.
Source: C2SP tlog-checkpoint and signed-note.
"""

import base64
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from governance.tickets.binding import stamp


def checkpoint_body(*, origin: str, size: int, root: bytes, head: str, at: datetime) -> str:
    """The text that a checkpoint signs: origin, size, Merkle root, then our extension lines.

    ``root`` is the 32-byte RFC 6962 root over the records' bytes; ``head`` the last hash in hex.
    """
    lines = [origin, str(size), base64.b64encode(root).decode(), f"head {head}", f"at {stamp(at)}"]
    return "\n".join(lines) + "\n"


def note_key_hash(pem: str) -> bytes:
    """The four bytes by which notes name a P-256 key: of its DER, as type 2 has them.

    Source: C2SP signed-note, signature type 0x02.
    """
    public = load_pem_public_key(pem.encode())
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).digest()[:4]


def note_signature(raw: bytes) -> bytes:
    """r and s (32 bytes each) as DER, which is how notes have ECDSA signatures."""
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    return encode_dss_signature(r, s)


def signed_note(body: str, *, key_name: str, key_hash: bytes, signature: bytes) -> str:
    """``body`` with its signature line; ``key_hash`` is the first 4 bytes that name the key."""
    blob = base64.b64encode(key_hash + signature).decode()
    return f"{body}\n\u2014 {key_name} {blob}\n"
