"""Where the signing keys are, from one setting.

Lives here: the forms that ``PLACET_SIGNER`` may have, and which store each of them opens. Must
not live here: how a store works. Law: no secret stands in the setting; nothing secret goes over a
plain connection to another machine; what is missing is named at the start.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from bot.settings import Settings
from bot.signing.files import FileStore
from bot.signing.signer import KeyStore, not_ready
from governance.errors import Code, InvalidInput

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FORMS = (
    "file:/FOLDER, pkcs11:token=LABEL;object=PREFIX?module-path=FILE, "
    "transit+https://HOST/MOUNT/PREFIX, awskms:///PREFIX?region=REGION"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlace:
    """A folder of key files."""

    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkcs11Place:
    """A token of a PKCS#11 module; its keys are labelled ``prefix`` and their purpose."""

    module: Path
    token: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitPlace:
    """A transit engine of OpenBao or Vault."""

    server: str
    mount: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsPlace:
    """AWS KMS; keys are found by alias. ``region`` and ``endpoint`` are AWS's own where empty."""

    prefix: str
    region: str
    endpoint: str


Place = FilePlace | Pkcs11Place | TransitPlace | KmsPlace


def place_of(signer: str, keys: Path) -> Place:
    """What the setting ``signer`` means; ``keys`` is the folder where it is empty.

    Raises:
        InvalidInput: ``invalid_settings``: none of the forms, or a secret in it.
    """
    if not signer:
        return FilePlace(folder=keys)
    scheme = signer.partition(":")[0].lower()
    if scheme == "pkcs11":
        return _pkcs11(signer.partition(":")[2])
    try:
        parts = urlsplit(signer)
        _ = parts.port
    except ValueError as error:
        raise _invalid("it is not a URL") from error
    if parts.username is not None or parts.password is not None:
        raise _invalid("no secret belongs in it; name PLACET_SIGNER_SECRET_FILE")
    match scheme:
        case "file" if parts.path.startswith("/") and not parts.netloc:
            return FilePlace(folder=Path(unquote(parts.path)))
        case "transit+http" | "transit+https":
            return _transit(parts)
        case "awskms":
            return _kms(parts)
        case _:
            raise _invalid("it has none of these forms")


def store_at(place: Place, secret: str) -> KeyStore:
    """Open nothing yet: the store at ``place``.

    Raises:
        Unavailable: ``not_ready``: a part of the installation is missing; the message names it.
    """
    match place:
        case FilePlace():
            return FileStore(place.folder)
        case Pkcs11Place():
            try:
                from bot.signing.pkcs11 import Pkcs11Store
            except ImportError as error:
                raise not_ready("PKCS#11 needs an extra: pip install 'placet[pkcs11]'") from error
            return Pkcs11Store(
                module=place.module, token=place.token, prefix=place.prefix, pin=secret
            )
        case TransitPlace():
            from bot.signing.transit import TransitStore

            return TransitStore(
                server=place.server, mount=place.mount, prefix=place.prefix, token=secret
            )
        case KmsPlace():
            try:
                from bot.signing.kms import KmsStore
            except ImportError as error:
                raise not_ready("AWS KMS needs an extra: pip install 'placet[kms]'") from error
            return KmsStore(prefix=place.prefix, region=place.region, endpoint=place.endpoint)


def store_of(settings: Settings, signer: str | None = None) -> KeyStore:
    """The store that the settings name; ``signer`` stands in for theirs.

    Raises:
        InvalidInput: ``invalid_settings``.
        Unavailable: ``not_ready``.
    """
    place = place_of(settings.signer if signer is None else signer, settings.keys)
    needs_secret = isinstance(place, Pkcs11Place | TransitPlace)
    return store_at(place, secret_of(settings) if needs_secret else "")


def secret_of(settings: Settings) -> str:
    """The PIN or token, read anew so that one that was replaced is used after a restart.

    Raises:
        InvalidInput: ``invalid_settings``: there is none, or its file cannot be read.
    """
    given: SecretStr | None = settings.signer_secret
    if settings.signer_secret_file is not None:
        try:
            found = settings.signer_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(
                Code.INVALID_SETTINGS,
                f"PLACET_SIGNER_SECRET_FILE: it cannot be read ({type(error).__name__})",
            ) from error
    else:
        found = given.get_secret_value().strip() if given is not None else ""
    if not found or not found.isprintable():
        raise InvalidInput(
            Code.INVALID_SETTINGS,
            "PLACET_SIGNER needs a PIN or token: PLACET_SIGNER_SECRET_FILE names the file with it",
        )
    return found


def _pkcs11(text: str) -> Pkcs11Place:
    """RFC 7512: attributes of the path by ``;``, of the query by ``&``."""
    path, _, query = text.partition("?")
    said = _attributes(path, ";") | _attributes(query, "&")
    if said.keys() & {"pin-value", "pin-source"}:
        raise _invalid("no PIN belongs in it; name PLACET_SIGNER_SECRET_FILE")
    strange = said.keys() - {"token", "object", "module-path"}
    if strange:
        raise _invalid(f"it says {', '.join(sorted(strange))}, which is not used")
    if not said.get("token") or not said.get("module-path"):
        raise _invalid("a PKCS#11 URI names token= and ?module-path=")
    return Pkcs11Place(
        module=Path(said["module-path"]), token=said["token"], prefix=said.get("object", "placet")
    )


def _attributes(text: str, separator: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in text.split(separator) if item]
    found = {name: unquote(value) for name, _, value in pairs}
    if len(found) != len(pairs):
        raise _invalid("it says the same thing twice")
    return found


def _transit(parts: SplitResult) -> TransitPlace:
    mount, _, prefix = parts.path.strip("/").rpartition("/")
    if not parts.hostname or not mount or not prefix or parts.query or parts.fragment:
        raise _invalid("it has none of these forms")
    scheme = parts.scheme.removeprefix("transit+")
    _check_private(scheme, parts.hostname)
    return TransitPlace(server=f"{scheme}://{parts.netloc}", mount=mount, prefix=prefix)


def _kms(parts: SplitResult) -> KmsPlace:
    said = dict(parse_qsl(parts.query))
    prefix = parts.path.strip("/")
    if not prefix or parts.netloc or said.keys() - {"region", "endpoint"}:
        raise _invalid("it has none of these forms")
    endpoint = said.get("endpoint", "")
    if endpoint:
        server = urlsplit(endpoint)
        _check_private(server.scheme, server.hostname or "")
    return KmsPlace(prefix=prefix, region=said.get("region", ""), endpoint=endpoint)


def _check_private(scheme: str, host: str) -> None:
    if scheme != "https" and not (scheme == "http" and host in _LOOPBACK):
        raise _invalid("over a network it must be https")


def _invalid(why: str) -> InvalidInput:
    return InvalidInput(Code.INVALID_SETTINGS, f"PLACET_SIGNER: {why}. Forms: {_FORMS}")
