"""The life of a signing key: one active for each purpose, successors vouched for, ends final."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from governance import control as ctl
from governance import keys
from governance.control import Control, PublicKey
from governance.errors import Code, InvalidInput, PlacetError, Refused, Unavailable
from governance.principal import TenantId
from tests.support.build import T0, TENANT, public_key

LATER = T0 + timedelta(hours=1)
VOTE = "vote:operator"


def private(name: str) -> ec.EllipticCurvePrivateKey:
    """A fixed key for each name."""
    return ec.derive_private_key(int.from_bytes(name.encode()), ec.SECP256R1())


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Its public half."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def key(name: str, purpose: str = VOTE) -> PublicKey:
    """The public key of that name as a signer hands it over."""
    return PublicKey(id=name, purpose=purpose, pem=pem(private(name)), valid_from=T0)


def sign(name: str, message: bytes) -> str:
    """base64 of r and s."""
    r, s = decode_dss_signature(private(name).sign(message, ec.ECDSA(SHA256())))
    return base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()


def known(*found: PublicKey, **changes: object) -> Control:
    """A log with these keys."""
    return replace(Control(keys={item.id: item for item in found}), **changes)


def ended(control: Control, *names: str) -> Control:
    """These have ended."""
    return replace(control, ended={name: ctl.KeyEnd(at=T0, reason="rotated") for name in names})


def rotation(old: str = "k1", new: str = "k2", **changes: object) -> ctl.KeyRotated:
    """A rotation that both keys signed."""
    successor = key(new)
    message = keys.rotation_message(tenant=TENANT, old_key_id=old, key=successor)
    event = ctl.KeyRotated(
        tenant=TENANT,
        actor="operator:root",
        old_key_id=old,
        key=successor,
        signed_by_old=sign(old, message),
        signed_by_new=sign(new, message),
    )
    return replace(event, **changes)


def code_of(caught: pytest.ExceptionInfo[PlacetError]) -> Code:
    return caught.value.code


# Registering


def test_a_purpose_without_an_active_key_takes_the_one_that_is_held_from_event_time():
    found = keys.register(known(), tenant=TENANT, held=[key("k1"), key("c", "head")], at=LATER)
    assert [(e.tenant, e.key.id, e.key.valid_from) for e in found] == [
        (TENANT, "k1", LATER),
        (TENANT, "c", LATER),
    ]
    assert keys.register(known(), tenant=TENANT, held=[], at=LATER) == ()


def test_a_held_active_key_is_registered_once_and_others_beside_it_are_not():
    held = [key("k1"), key("k2")]
    assert keys.register(known(key("k1")), tenant=TENANT, held=held, at=LATER) == ()


def test_a_signer_without_the_active_key_is_refused_with_its_name():
    with pytest.raises(Unavailable, match="says that k1 signs vote:operator") as caught:
        keys.register(known(key("k1")), tenant=TENANT, held=[key("k2")], at=LATER)
    assert code_of(caught) is Code.NOT_READY


def test_a_public_key_that_is_another_one_than_in_the_log_is_refused():
    held = [replace(key("k1"), pem=key("k2").pem)]
    with pytest.raises(Unavailable, match="k1 is another public key"):
        keys.register(known(key("k1")), tenant=TENANT, held=held, at=LATER)


def test_two_keys_that_could_become_the_active_one_are_refused_by_name():
    with pytest.raises(Unavailable, match="k1, k2"):
        keys.register(known(), tenant=TENANT, held=[key("k1"), key("k2")], at=LATER)


def test_a_key_that_has_ended_is_never_registered_again():
    control = ended(known(key("k1")), "k1")
    assert keys.register(control, tenant=TENANT, held=[key("k1")], at=LATER) == ()
    (event,) = keys.register(control, tenant=TENANT, held=[key("k1"), key("k2")], at=LATER)
    assert event.key.id == "k2"


# Rotating


def test_a_rotation_signed_by_both_keys_is_valid_from_event_time():
    event = keys.rotate(known(key("k1")), rotation(), at=LATER)
    assert event == replace(rotation(), key=replace(key("k2"), valid_from=LATER), **_signed(event))


def _signed(event: ctl.KeyRotated) -> dict[str, str]:
    """ECDSA is not reproducible: whatever the two signatures are."""
    return {"signed_by_old": event.signed_by_old, "signed_by_new": event.signed_by_new}


@pytest.mark.parametrize("field", ["signed_by_old", "signed_by_new"])
@pytest.mark.parametrize(
    "forged",
    ["", "c2ln", "%%%", base64.b64encode(bytes(64)).decode(), sign("k3", b"x")],
    ids=["none", "short", "no base64", "zeros", "by another key"],
)
def test_a_rotation_that_one_of_the_two_did_not_sign_is_refused(field: str, forged: str):
    with pytest.raises(Refused, match="did not sign the rotation") as caught:
        keys.rotate(known(key("k1")), rotation(**{field: forged}), at=LATER)
    assert code_of(caught) is Code.WRONG_STATE


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": TenantId("other")},
        {"key": replace(key("k2"), id="k9")},
        {"key": replace(key("k2"), pem=key("k3").pem)},
    ],
    ids=["tenant", "id", "pem"],
)
def test_both_signatures_cover_tenant_name_and_public_key(changes: dict[str, object]):
    with pytest.raises(Refused, match="did not sign"):
        keys.rotate(known(key("k1")), rotation(**changes), at=LATER)


def test_a_signature_covers_the_purpose():
    """Else a key of one role could be made to vouch for the key of another."""
    other = replace(key("k2"), purpose="checkpoint")
    control = known(key("k1", "checkpoint"))
    with pytest.raises(Refused, match="did not sign"):
        keys.rotate(control, rotation(key=other), at=LATER)


@pytest.mark.parametrize(
    ("control", "says"),
    [
        (known(), "no key is active for vote:operator, not k1"),
        (ended(known(key("k1")), "k1"), "no key is active"),
        (known(key("k3")), "k3 is active for vote:operator, not k1"),
        (known(key("k1", "checkpoint")), "no key is active"),
    ],
    ids=["unknown", "ended", "another", "another purpose"],
)
def test_only_the_active_key_of_that_purpose_is_rotated(control: Control, says: str):
    with pytest.raises(Refused, match=says) as caught:
        keys.rotate(control, rotation(), at=LATER)
    assert code_of(caught) is Code.WRONG_STATE


def test_a_key_that_the_log_knows_is_no_successor():
    control = ended(known(key("k2"), key("k1")), "k2")
    with pytest.raises(Refused, match="needs a new key"):
        keys.rotate(control, rotation(), at=LATER)


def test_after_a_rotation_the_successor_is_active_and_the_old_key_is_known_still():
    after = ctl.evolve(known(key("k1")), rotation(), LATER)
    assert after.active_key(VOTE) == key("k2")
    assert after.ended == {"k1": ctl.KeyEnd(at=LATER, reason="rotated", successor="k2")}
    assert {*after.keys} == {"k1", "k2"}


# Revoking


def revoke(control: Control, reason: str = "stolen", key_id: str = "k1") -> ctl.KeyRevoked:
    return keys.revoke(control, tenant=TENANT, actor="operator:root", key_id=key_id, reason=reason)


def test_a_revoked_key_has_ended_with_its_reason_and_nothing_takes_its_place():
    event = revoke(known(key("k1")), reason=" stolen ")
    assert event == ctl.KeyRevoked(
        tenant=TENANT, actor="operator:root", key_id="k1", reason="stolen"
    )
    after = ctl.evolve(known(key("k1")), event, LATER)
    assert after.active_key(VOTE) is None
    assert after.ended == {"k1": ctl.KeyEnd(at=LATER, reason="stolen")}


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_a_revocation_says_why_in_few_words(reason: str):
    with pytest.raises(InvalidInput) as caught:
        revoke(known(key("k1")), reason=reason)
    assert (code_of(caught), caught.value.pointer) == (Code.INVALID_FIELD, "/reason")
    assert revoke(known(key("k1")), reason="x" * 200).reason == "x" * 200


def test_only_a_key_that_is_known_and_has_not_ended_is_revoked():
    with pytest.raises(Refused) as caught:
        revoke(known(), key_id="k1")
    assert code_of(caught) is Code.NOT_FOUND
    with pytest.raises(Refused, match=r"k1 has ended already \(rotated\)") as caught:
        revoke(ended(known(key("k1")), "k1"))
    assert code_of(caught) is Code.WRONG_STATE


# What counts


def test_only_the_active_key_of_the_purpose_counts_at_its_place_in_the_log():
    control = ended(known(key("k0"), key("k1"), key("c", "checkpoint")), "k0")
    assert keys.check_active(control, "k1", VOTE) is None
    for name, purpose in (("k0", VOTE), ("c", VOTE), ("k9", VOTE), ("k1", "checkpoint")):
        void = keys.check_active(control, name, purpose)
        assert void is not None
        assert (void.code, name in void.message) == (Code.NOT_READY, True)


def test_of_several_active_keys_in_an_early_log_the_newest_counts():
    assert known(key("k1"), key("k2")).active_key(VOTE) == key("k2")


def test_a_signature_holds_for_its_own_key_and_bytes_only():
    value = sign("k1", b"message")
    assert keys.is_signed(key("k1"), value, b"message")
    assert not keys.is_signed(key("k2"), value, b"message")
    assert not keys.is_signed(key("k1"), value, b"another")
    assert not keys.is_signed(public_key(pem="PEM"), value, b"message")


@pytest.mark.parametrize(
    "other",
    [
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
    ],
    ids=["secp256k1", "brainpool"],
)
def test_a_key_of_another_curve_signs_nothing(other: ec.EllipticCurvePrivateKey):
    r, s = decode_dss_signature(other.sign(b"m", ec.ECDSA(SHA256())))
    value = base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
    assert not keys.is_signed(public_key(pem=pem(other)), value, b"m")


def test_a_key_of_another_kind_signs_nothing():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    made = Ed25519PrivateKey.from_private_bytes(bytes(32))
    text = made.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    value = base64.b64encode(made.sign(b"m")).decode()
    assert not keys.is_signed(public_key(pem=text.decode()), value, b"m")


# Golden: what is signed never changes


def test_the_message_of_a_head_never_changes():
    message = keys.head_message(origin="placet.example/log", seq=7, hash_="ab" * 32, at=T0)
    assert message == (
        b'placet/v1/head\0{"at":"2026-03-01T09:00:00.000000Z","hash":"' + b"ab" * 32 + b'",'
        b'"origin":"placet.example/log","seq":7}'
    )


def test_the_message_of_a_rotation_never_changes():
    successor = PublicKey(id="k2", purpose=VOTE, pem="PEM", valid_from=T0)
    assert keys.rotation_message(tenant=TENANT, old_key_id="k1", key=successor) == (
        b'placet/v1/key-rotation\0{"new":"k2","old":"k1","pem":"PEM",'
        b'"purpose":"vote:operator","tenant":"acme"}'
    )
