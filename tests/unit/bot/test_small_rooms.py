"""Ids, logs and the manifest: small rooms, each with its law."""

import gc
import json
import logging
import re
import weakref

from bot import memory
from bot.api.middleware import trace_id_of
from bot.ids import RandomIds
from bot.manifest import manifest
from bot.observability import JsonLines


def test_ticket_ids_are_unique_and_sort_by_time_of_birth() -> None:
    ids = RandomIds()
    made = [ids.ticket() for _ in range(5_000)]
    assert len(set(made)) == len(made)
    assert all(len(item) == 22 for item in made)
    assert [item[:9] for item in made] == sorted(item[:9] for item in made)


def test_a_nonce_is_128_bits_in_hex() -> None:
    ids = RandomIds()
    made = {ids.nonce() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(len(item) == 32 and int(item, 16) >= 0 for item in made)


def test_trace_ids_are_unique_and_sort_by_time_of_birth() -> None:
    ids = RandomIds()
    made = [ids.trace() for _ in range(5_000)]
    assert len({item[12:] for item in made}) == len(made)
    assert all(re.fullmatch("[0-9a-f]{32}", item) and int(item, 16) for item in made)
    assert [item[:12] for item in made] == sorted(item[:12] for item in made)
    assert all(trace_id_of({"traceparent": f"00-{item}-{'1' * 16}-01"}) == item for item in made)


def test_no_random_bits_are_used_twice() -> None:
    ids = RandomIds()
    made = [ids.short() for _ in range(2_000)]
    assert len(set(made)) == len(made)
    assert all(len(item) == 16 for item in made)
    taken = "".join(ids.short() for _ in range(512))  # more than is read at once
    assert all(taken.count(ids.short()) == 0 for _ in range(512))


class _Knot:
    def __init__(self) -> None:
        self.itself = self


def test_what_is_made_after_the_start_is_still_collected() -> None:
    before = gc.get_threshold()
    try:
        memory.settle()
        assert gc.get_freeze_count() > 0
        made = weakref.ref(_Knot())
        gc.collect()
        assert made() is None
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def test_a_log_line_is_json_and_never_quotes_an_exception() -> None:
    try:
        raise ValueError("the-secret-body")  # noqa: TRY301  # it is what is logged
    except ValueError as error:
        record = logging.LogRecord(
            "bot.x",
            logging.ERROR,
            __file__,
            1,
            "it %s",
            ("broke",),
            (ValueError, error, error.__traceback__),
        )
    line = JsonLines().format(record)
    told = json.loads(line)
    assert (told["message"], told["error"], told["level"]) == ("it broke", "ValueError", "error")
    assert "the-secret-body" not in line


def test_a_log_line_says_why_and_how_many_and_nothing_else_that_came_along() -> None:
    record = logging.LogRecord("storage", logging.WARNING, "x.py", 1, "it waits", (), None)
    record.why, record.items, record.token = "DiskFull", 3, "the-secret-token"
    line = JsonLines().format(record)
    told = json.loads(line)
    assert (told["message"], told["why"], told["items"]) == ("it waits", "DiskFull", 3)
    assert "the-secret-token" not in line


def test_the_manifest_is_found_in_a_checkout() -> None:
    assert manifest()["features"]["slash_commands"][0]["command"] == "/placet"
