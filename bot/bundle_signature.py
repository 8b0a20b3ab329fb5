"""Signatures of policy bundles: ES256, in a file beside the bundle.

Lives here: the signature file, the keys that may vouch for a bundle, and whether one does.
Must not live here: what a bundle means, or which one is active. Law: where a signature is required,
whatever keeps it from being verified (no file, an unreadable file, an unknown key, no keys) refuses
the bundle; where it is not, a signature that is there must still hold once keys are configured.
"""

import base64
import binascii
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from governance.canonical import canonical_bytes, parse
from governance.errors import Code, InvalidInput, PlacetError
from governance.policy.model import Bundle

FILE = "bundle.sig"
_HALF_BYTES = 32
_MAX_BYTES = 65_536
_MAX_KEYS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSignature:
    """Who vouches for a bundle; ``value`` is base64 of r and s (64 bytes, ES256)."""

    key_id: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleKeys:
    """The keys that may vouch for a bundle, and whether one of them must."""

    is_required: bool = False
    keys: Mapping[str, ec.EllipticCurvePublicKey] = field(default_factory=dict)

    def vouched(self, bundle: Bundle, signature: BundleSignature | None) -> BundleSignature | None:
        """The signature of ``bundle`` once it holds; None where nobody has to vouch for it.

        Raises:
            InvalidInput: ``invalid_bundle``: it is not vouched for.
        """
        if signature is None:
            if self.is_required:
                raise _refused(f"bundle {bundle.name} is not signed, and a signature is required")
            return None
        if not self.keys and not self.is_required:
            return None
        key = self.keys.get(signature.key_id)
        if key is None:
            raise _refused(f"bundle {bundle.name} is signed with a key that is not trusted here")
        if not _holds(key, signature.value, message_of(bundle)):
            raise _refused(
                f"the signature of bundle {bundle.name} does not hold: the bundle or the signature "
                "was changed"
            )
        return signature


def _holds(key: ec.EllipticCurvePublicKey, value: str, message: bytes) -> bool:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    if len(raw) != 2 * _HALF_BYTES:
        return False
    r, s = (int.from_bytes(half, "big") for half in (raw[:_HALF_BYTES], raw[_HALF_BYTES:]))
    try:
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def message_of(bundle: Bundle) -> bytes:
    """The bytes that a bundle's signature covers, domain-separated."""
    return b"placet/v1/bundle\0" + canonical_bytes(
        {"name": bundle.name, "snapshot": bundle.snapshot}
    )


def file_of(policies: Path) -> Path:
    """Where the signature of the bundle at ``policies`` lies."""
    return policies / FILE if policies.is_dir() else policies.with_name(f"{policies.name}.sig")


def read_signature(policies: Path) -> BundleSignature | None:
    """The signature beside a bundle; None where there is no such file.

    Raises:
        InvalidInput: ``invalid_bundle``: the file is there and is no signature.
    """
    place = file_of(policies)
    if not os.path.lexists(place):
        return None
    try:
        found = parse(_bytes(place), max_bytes=_MAX_BYTES)
    except PlacetError as error:
        raise _refused(f"{place}: the signature file cannot be read: {error.message}") from error
    match found:
        case {"key_id": str() as key_id, "signature": str() as value, **more} if not more:
            return BundleSignature(key_id=key_id, value=value)
        case _:
            raise _refused(f'{place}: it has to be {{"key_id": ..., "signature": ...}} and is not')


def write_signature(policies: Path, signature: BundleSignature) -> Path:
    """Put a signature beside its bundle, whole or not at all.

    Raises:
        InvalidInput: ``invalid_field``: the file cannot be written.
    """
    place = file_of(policies)
    aside = place.with_name(f".{place.name}.{os.getpid()}.new")
    text = json.dumps({"key_id": signature.key_id, "signature": signature.value}, indent=2) + "\n"
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(place)
    except OSError as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{place} cannot be written: {error.strerror}"
        ) from error
    finally:
        aside.unlink(missing_ok=True)
    return place


def trusted(place: Path | None, *, is_required: bool) -> BundleKeys:
    """The public keys in a folder of PEM files, or in one PEM file.

    Raises:
        InvalidInput: ``invalid_settings``: no key where one is needed, or a file that is none.
    """
    if place is None:
        if is_required:
            raise _unset("a signed bundle is required, and PLACET_BUNDLE_KEYS names no key")
        return BundleKeys()
    try:
        files = sorted(place.glob("*.pem")) if place.is_dir() else [place]
    except OSError as error:
        raise _unset(f"PLACET_BUNDLE_KEYS: {place} cannot be read: {error.strerror}") from error
    if not 0 < len(files) <= _MAX_KEYS:
        raise _unset(f"PLACET_BUNDLE_KEYS: {place} has {len(files)} keys, needed are 1 to 64")
    keys = dict(map(_public, files))
    return BundleKeys(is_required=is_required, keys=keys)


def sign(bundle: Bundle, key_file: Path) -> BundleSignature:
    """Sign ``bundle`` with a private P-256 key in PEM, which nobody else may read.

    Raises:
        InvalidInput: ``invalid_field``: there is no such key, or others can read it.
    """
    raw = _key_bytes(key_file)
    try:
        key = serialization.load_pem_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{key_file} is no private key in PEM without a password"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInput(Code.INVALID_FIELD, f"{key_file} is not a P-256 key")
    r, s = utils.decode_dss_signature(key.sign(message_of(bundle), ec.ECDSA(hashes.SHA256())))
    made = r.to_bytes(_HALF_BYTES, "big") + s.to_bytes(_HALF_BYTES, "big")
    return BundleSignature(
        key_id=key_id_of(key.public_key()), value=base64.b64encode(made).decode("ascii")
    )


def key_id_of(key: ec.EllipticCurvePublicKey) -> str:
    """The name of a public key, from the key itself."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"bundle-{sha256(der).hexdigest()[:32]}"


def _key_bytes(key_file: Path) -> bytes:
    try:
        raw = _bytes(key_file)
        mode = stat.S_IMODE(key_file.stat().st_mode)
    except OSError as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{key_file} cannot be read: {error.strerror}"
        ) from error
    except InvalidInput as error:
        raise InvalidInput(Code.INVALID_FIELD, f"{key_file}: {error.message}") from error
    if mode & 0o077:
        raise InvalidInput(
            Code.INVALID_FIELD,
            f"{key_file} can be read by others: chmod 600 it, and replace the key",
        )
    return raw


def _public(file: Path) -> tuple[str, ec.EllipticCurvePublicKey]:
    try:
        key = serialization.load_pem_public_key(_bytes(file))
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidInput) as error:
        raise _unset(f"PLACET_BUNDLE_KEYS: {file} is no public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unset(f"PLACET_BUNDLE_KEYS: {file} is not a P-256 key")
    return key_id_of(key), key


def _bytes(file: Path) -> bytes:
    """The bytes of a small regular file; never waits for a pipe."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _refused("not a regular file")
        with os.fdopen(descriptor, "rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _refused(f"{error.strerror}") from error
    if len(raw) > _MAX_BYTES:
        raise _refused(f"larger than {_MAX_BYTES} bytes")
    return raw


def _refused(sentence: str) -> InvalidInput:
    return InvalidInput(Code.INVALID_BUNDLE, sentence)


def _unset(sentence: str) -> InvalidInput:
    return InvalidInput(Code.INVALID_SETTINGS, sentence)
