"""How a process keeps itself on the active bundle, turn by turn."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.compose.following import PolicyFollower
from bot.settings import Settings
from governance.errors import Code, InvalidInput
from governance.policy.active import ActiveBundle
from governance.policy.model import Bundle
from storage.memory.ledger import MemoryLedger
from tests.support.activation import BASE, DENIES, SAME, Process, process
from tests.support.build import FixedClock
from tests.support.commits import erase


@dataclass
class Room:
    """A follower of one ledger; ``refuses`` are bundles that this process cannot take over."""

    house: Process
    active: ActiveBundle = field(default_factory=lambda: ActiveBundle(BASE))
    refuses: set[str] = field(default_factory=set)
    tried: list[str] = field(default_factory=list)
    holds: list[bool] = field(default_factory=list)
    held: int = 0

    def __post_init__(self) -> None:
        self.follower = PolicyFollower(
            settings=Settings(policies=Path("/nowhere")),
            reader=self.house.ledger,
            current=lambda: self.active.current,
            adopt=self.adopt,
            hold=self.hold,
        )

    async def adopt(self, bundle: Bundle) -> None:
        """Take it over, or not."""
        self.tried.append(bundle.name)
        if bundle.name in self.refuses:
            raise InvalidInput(Code.INVALID_BUNDLE, "a folder is not known here")
        self.active.replace(bundle)

    async def hold(self) -> bool:
        """As told."""
        self.held += 1
        return self.holds.pop(0) if self.holds else True


@pytest.fixture
def room() -> Room:
    clock = FixedClock()
    return Room(process(MemoryLedger(clock), clock, BASE))


async def test_where_nothing_is_active_there_is_nothing_to_follow(room: Room):
    assert await room.follower.turn()
    assert (room.tried, room.held) == ([], 0)


async def test_open_tickets_are_held_to_the_active_bundle_once(room: Room):
    await room.house.activate(BASE)
    assert [await room.follower.turn() for _ in range(3)] == [True] * 3
    assert (room.tried, room.held) == ([], 1)


async def test_what_is_activated_is_loaded_from_the_ledger_and_the_folder_is_told_of(room: Room):
    await room.house.activate(BASE)
    await room.follower.turn()
    await room.house.activate(SAME)
    assert await room.follower.turn()
    assert room.active.current.snapshot == SAME.snapshot
    assert (room.tried, room.held, room.follower.problem) == (["same"], 2, "")
    assert "on disk" in room.follower.disk


async def test_a_judging_that_left_something_is_done_again(room: Room):
    room.holds = [False, True]
    await room.house.activate(BASE)
    assert [await room.follower.turn() for _ in range(3)] == [False, True, True]
    assert room.held == 2


async def test_what_cannot_be_taken_over_changes_nothing_and_is_not_tried_all_the_time(
    room: Room, caplog: pytest.LogCaptureFixture
):
    room.refuses = {"denies"}
    await room.house.activate(BASE)
    await room.follower.turn()
    await room.house.activate(DENIES)
    assert [await room.follower.turn() for _ in range(5)] == [False] * 5
    assert room.tried == ["denies"]
    assert room.active.current is BASE
    assert room.follower.problem == Code.INVALID_BUNDLE
    assert caplog.text.count("not in use here") == 1
    # Another activation is tried at once.
    await room.house.activate(SAME)
    assert await room.follower.turn()
    assert (room.tried, room.follower.problem) == (["denies", "same"], "")


async def test_bytes_that_are_gone_are_a_problem_by_code(room: Room):
    await room.house.activate(SAME)
    active = (await room.house.ledger.control()).activation
    assert active is not None
    assert isinstance(room.house.ledger, MemoryLedger)
    await erase(room.house.ledger, active.content_digest)
    assert not await room.follower.turn()
    assert room.follower.problem == Code.NOT_READY
    assert room.tried == []
