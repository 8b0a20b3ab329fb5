"""What goes on for long is said seldom."""

from governance.sparing import SAY_S, Sparing


def test_what_goes_on_for_an_hour_is_said_once_a_minute_each_thing_by_itself() -> None:
    now = [0.0]
    sparing = Sparing(lambda: now[0])
    said = {"a": 0, "b": 0}
    for second in range(3600):
        now[0] = float(second)
        for what in said:
            said[what] += sparing.may_say(what)
    assert said == dict.fromkeys(said, 3600 // SAY_S)
