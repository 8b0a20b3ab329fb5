"""Everything that can keep policy from answering, through the real core: the answer is no."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot import bundle_signature
from bot.bundle_signature import BundleKeys, BundleSignature
from bot.bundles import load_bundle
from bot.compose.policy import from_disk
from bot.settings import Settings
from governance.action import ActionKind, Dispatch
from governance.errors import Code, InvalidInput, PlacetError, Unavailable
from governance.policy.bundle import load
from governance.policy.decision import Effect
from governance.policy.matching import Outcome, Subject
from governance.policy.model import Bundle
from governance.steps import Submitted
from governance.tickets.ticket import TicketState
from storage.memory.ledger import MemoryLedger
from tests.integration.api.world import MERGE, running
from tests.support.activation import ALLOWS, process
from tests.support.build import T0, FixedClock
from tests.support.core import agent, content, request

ALLOW_ALL = "rules:\n  - id: all\n    decision: allow\n"


@dataclass
class Clock:
    """A clock that jumps by ``step_s`` each time it is looked at."""

    step_s: int = 0
    at: datetime = field(default=T0)

    def now(self) -> datetime:
        """This instant."""
        self.at += timedelta(seconds=self.step_s)
        return self.at


async def submitted(bundle: Bundle, clock: Clock | FixedClock | None = None) -> Submitted:
    """What becomes of a job under ``bundle``, active or not."""
    given = clock or FixedClock()
    ledger = MemoryLedger(given)
    house = process(ledger, given, bundle)
    await house.activate(bundle)
    asked = request(
        tool="",
        action=ActionKind.READ,
        dispatch=Dispatch.RELEASE,
        content=content(),
        environment="dev",
        data_classes=("public",),
    )
    return await house.service.submit(asked, agent(environments=("dev",)))


def denied(done: Submitted) -> str:
    assert done.effect is Effect.DENY
    assert done.ticket is not None
    assert done.ticket.state is TicketState.DENIED
    return done.reason


async def test_the_very_job_that_is_refused_below_is_let_through_by_a_whole_policy():
    assert (await submitted(ALLOWS)).effect is Effect.ALLOW


# The decision


class Exploding:
    """Rules that cannot be asked."""

    rules = ()

    def candidates(self, _subject: Subject) -> tuple[object, ...]:
        """Fail."""
        raise LookupError("the index is broken")


async def test_an_error_while_evaluating_denies():
    broken = replace(ALLOWS, rules=Exploding())  # type: ignore[arg-type]
    assert "policy_unavailable" in denied(await submitted(broken))


@dataclass(frozen=True)
class Unjudgeable:
    """A condition of which nobody can say whether it holds."""

    def judge(self, _subject: Subject) -> Outcome:
        """ERROR."""
        return Outcome.ERROR

    def describe(self) -> str:
        """In words."""
        return "nobody knows"


def _with_condition(bundle: Bundle) -> Bundle:
    (rule,) = bundle.rules.rules
    match = replace(rule.match, conditions=(Unjudgeable(),))
    index = type(bundle.rules)([replace(rule, match=match)])
    return replace(bundle, rules=index)


async def test_an_allow_that_cannot_be_judged_allows_nothing():
    denied(await submitted(_with_condition(ALLOWS)))


async def test_a_deny_that_cannot_be_judged_denies():
    """By its own word: whatever no rule answers is let through here."""
    rules = [{"id": "d", "decision": "deny"}]
    bundle = _with_condition(load({"rules": rules, "default_decision": "allow"}))
    assert denied(await submitted(bundle)) == "rule d"
    unasked = load({"rules": [], "default_decision": "allow"})
    assert (await submitted(unasked)).effect is Effect.ALLOW


async def test_an_answer_later_than_two_seconds_is_no():
    assert "2 s" in denied(await submitted(ALLOWS, Clock(step_s=3)))


async def test_an_answer_within_two_seconds_counts():
    assert (await submitted(ALLOWS, Clock(step_s=2))).effect is Effect.ALLOW


@pytest.mark.parametrize("empty", [{}, {"rules": []}, {"version": "v1", "name": "nothing"}])
async def test_an_empty_bundle_denies_everything(empty: dict[str, object]):
    denied(await submitted(load(empty)))


async def test_a_bundle_that_is_not_the_active_one_decides_nothing():
    clock = FixedClock()
    ledger = MemoryLedger(clock)
    house = process(ledger, clock, ALLOWS)  # never activated: the ledger knows no bundle
    with pytest.raises(Unavailable) as caught:
        await house.ask()
    assert caught.value.code is Code.SNAPSHOT_CHANGED
    assert (await ledger.head())[0] == 0


async def test_over_http_a_policy_that_cannot_answer_is_a_denial_and_no_ticket_that_could_start():
    async with running() as world:
        broken = replace(world.service.bundle, rules=Exploding())  # type: ignore[arg-type]
        world.service._active.replace(broken)  # what no door of the service can do
        refused = await world.post("/api/v1/jobs", body=MERGE)
        assert (refused.status, refused["code"]) == (403, "policy_denied")
        assert "policy_unavailable" in refused["error"]


# The bundle


@pytest.mark.parametrize("word", ["alow", "ALLOW", "permit_all", "true", "[]", "''", "allow all"])
def test_an_unknown_effect_is_no_effect_but_a_refusal(word: str, tmp_path: Path):
    file = tmp_path / "bundle.yaml"
    file.write_text(f"rules:\n  - id: a\n    decision: {word}\n", encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        load_bundle(file)
    assert caught.value.message.startswith(f"{file}:3:5: 'decision'")


@pytest.mark.parametrize("what", ["missing", "empty folder", "empty file"])
def test_a_bundle_that_is_not_there_is_refused(what: str, tmp_path: Path):
    place = tmp_path / "policies"
    if what == "empty folder":
        place.mkdir()
    elif what == "empty file":
        place.touch()
    with pytest.raises(InvalidInput) as caught:
        from_disk(Settings(policies=place))
    assert caught.value.code is Code.INVALID_BUNDLE


# The signature


@dataclass
class Bench:
    """A bundle on disk, keys, and settings that demand a signature."""

    folder: Path
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.policies.mkdir()
        (self.policies / "bundle.yaml").write_text(ALLOW_ALL, encoding="utf-8")
        self.trusted.mkdir()
        self.key.touch(mode=0o600)
        self.key.write_bytes(_private_pem(self.private))
        (self.trusted / "one.pem").write_bytes(_public_pem(self.private))

    @property
    def policies(self) -> Path:
        """The bundle's folder."""
        return self.folder / "policies"

    @property
    def trusted(self) -> Path:
        """The folder of public keys."""
        return self.folder / "trusted"

    @property
    def key(self) -> Path:
        """The private key."""
        return self.folder / "one.key"

    @property
    def file(self) -> Path:
        """The signature's file."""
        return self.policies / bundle_signature.FILE

    @property
    def settings(self) -> Settings:
        """A signature is required."""
        return Settings(
            policies=self.policies, bundle_keys=self.trusted, require_signed_bundle=True
        )

    def sign(self) -> BundleSignature:
        """Sign the bundle as it is on disk."""
        made = bundle_signature.sign(load_bundle(self.policies), self.key)
        bundle_signature.write_signature(self.policies, made)
        return made

    def put(self, value: object) -> None:
        """Write something in the signature's place."""
        self.file.write_text(json.dumps(value), encoding="utf-8")


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_signed_bundle_is_accepted_with_its_signature(bench: Bench):
    made = bench.sign()
    assert from_disk(bench.settings).signature == made


def _unsigned(_bench: Bench) -> None:
    pass


def _other_rules(bench: Bench) -> None:
    bench.sign()
    other = ALLOW_ALL.replace("id: all", "id: any")
    (bench.policies / "bundle.yaml").write_text(other, encoding="utf-8")


def _other_name(bench: Bench) -> None:
    bench.sign()
    (bench.policies / "bundle.yaml").write_text(f"name: x\n{ALLOW_ALL}", encoding="utf-8")


def _unknown_key(bench: Bench) -> None:
    made = bench.sign()
    bench.put({"key_id": "bundle-" + "0" * 32, "signature": made.value})


def _foreign_key(bench: Bench) -> None:
    foreign = ec.generate_private_key(ec.SECP256R1())
    bench.key.write_bytes(_private_pem(foreign))
    bench.sign()


def _foreign_key_under_our_name(bench: Bench) -> None:
    ours = bench.sign()
    _foreign_key(bench)
    theirs = json.loads(bench.file.read_text(encoding="utf-8"))
    bench.put({"key_id": ours.key_id, "signature": theirs["signature"]})


def _vote_in_its_place(bench: Bench) -> None:
    made = bench.sign()
    bundle = load_bundle(bench.policies)
    message = b"placet/v1/vote\0" + bundle_signature.message_of(bundle).partition(b"\0")[2]
    r, s = bundle_signature.utils.decode_dss_signature(
        bench.private.sign(message, ec.ECDSA(bundle_signature.hashes.SHA256()))
    )
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    bench.put({"key_id": made.key_id, "signature": bundle_signature.base64.b64encode(raw).decode()})


def _text(text: str) -> Callable[[Bench], None]:
    def make(bench: Bench) -> None:
        bench.sign()
        bench.file.write_text(text, encoding="utf-8")

    return make


def _value(value: str) -> Callable[[Bench], None]:
    def make(bench: Bench) -> None:
        bench.put({"key_id": bench.sign().key_id, "signature": value})

    return make


def _folder_in_its_place(bench: Bench) -> None:
    bench.file.mkdir()


def _dangling(bench: Bench) -> None:
    bench.file.symlink_to(bench.folder / "nowhere")


def _loop(bench: Bench) -> None:
    bench.file.symlink_to(bench.file)


def _huge(bench: Bench) -> None:
    bench.file.write_bytes(b" " * 100_000)


UNVOUCHED: dict[str, tuple[Callable[[Bench], None], str]] = {
    "unsigned": (_unsigned, "is not signed"),
    "other rules": (_other_rules, "does not hold"),
    "other name": (_other_name, "does not hold"),
    "unknown key": (_unknown_key, "not trusted here"),
    "foreign key": (_foreign_key, "not trusted here"),
    "foreign key under our name": (_foreign_key_under_our_name, "does not hold"),
    "a signature of something else": (_vote_in_its_place, "does not hold"),
    "no JSON": (_text("-----BEGIN"), "cannot be read"),
    "empty": (_text(""), "cannot be read"),
    "binary": (_text("\x00\x01"), "cannot be read"),
    "a list": (_text("[]"), "has to be"),
    "a key too many": (_text('{"key_id": "a", "signature": "b", "c": 1}'), "has to be"),
    "a number": (_text('{"key_id": 1, "signature": "b"}'), "has to be"),
    "no base64": (_value("?"), "does not hold"),
    "too short": (_value("AAAA"), "does not hold"),
    "zeros": (_value("A" * 86 + "=="), "does not hold"),
    "non-ascii": (_value("é" * 8), "does not hold"),
    "a folder": (_folder_in_its_place, "cannot be read"),
    "a dangling link": (_dangling, "cannot be read"),
    "a link to itself": (_loop, "cannot be read"),
    "huge": (_huge, "cannot be read"),
}


@pytest.mark.parametrize("name", UNVOUCHED)
def test_what_is_not_vouched_for_is_refused(name: str, bench: Bench):
    make, words = UNVOUCHED[name]
    make(bench)
    with pytest.raises(InvalidInput) as caught:
        from_disk(bench.settings)
    assert caught.value.code is Code.INVALID_BUNDLE
    assert words in caught.value.message


def test_a_wrong_signature_is_refused_even_where_none_is_required(bench: Bench):
    _other_rules(bench)
    lenient = bench.settings.model_copy(update={"require_signed_bundle": False})
    with pytest.raises(InvalidInput, match="does not hold"):
        from_disk(lenient)
    bench.file.unlink()
    assert from_disk(lenient).signature is None


def test_a_signature_is_not_looked_at_where_no_key_is_known(bench: Bench):
    bench.sign()
    assert from_disk(Settings(policies=bench.policies)).signature is None


@pytest.mark.parametrize("what", ["unset", "missing", "empty", "no key", "another curve"])
def test_without_a_key_to_verify_by_nothing_is_accepted(what: str, bench: Bench):
    bench.sign()
    place: Path | None = bench.trusted
    one = bench.trusted / "one.pem"
    match what:
        case "unset":
            place = None
        case "missing":
            place = bench.folder / "none"
        case "empty":
            one.unlink()
        case "no key":
            one.write_text("hello", encoding="utf-8")
        case _:
            one.write_bytes(_public_pem(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(PlacetError) as caught:
        from_disk(bench.settings.model_copy(update={"bundle_keys": place}))
    assert caught.value.code is Code.INVALID_SETTINGS
    assert "PLACET_BUNDLE_KEYS" in caught.value.message


def test_a_required_signature_without_keys_accepts_nothing_at_all(bench: Bench):
    made = bench.sign()
    nobody = BundleKeys(is_required=True, keys=MappingProxyType({}))
    with pytest.raises(InvalidInput, match="not trusted here"):
        nobody.vouched(load_bundle(bench.policies), made)


def test_nobody_signs_with_a_key_that_others_can_read(bench: Bench):
    bench.key.chmod(0o640)
    with pytest.raises(InvalidInput, match="can be read by others"):
        bench.sign()


@pytest.mark.parametrize("what", ["missing", "public", "text", "another curve"])
def test_nobody_signs_with_what_is_no_key(what: str, bench: Bench):
    match what:
        case "missing":
            bench.key.unlink()
        case "public":
            bench.key.write_bytes(_public_pem(bench.private))
        case "text":
            bench.key.write_text("hello", encoding="utf-8")
        case _:
            bench.key.write_bytes(_private_pem(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(InvalidInput) as caught:
        bench.sign()
    assert caught.value.code is Code.INVALID_FIELD
    assert not bench.file.exists()
