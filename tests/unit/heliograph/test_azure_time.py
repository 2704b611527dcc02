"""The time that services go by when their own clock is wrong."""

from email.utils import formatdate

from heliograph.azure_time import AzureClock

TRUE_S = 1_790_000_000.0


class Machine:
    """A machine that has been up for `up_s`, with a wall clock that is `wrong_s` off."""

    def __init__(self, wrong_s: float) -> None:
        self.up_s, self.wrong_s = 5000.0, wrong_s
        self.clock = AzureClock(lambda: self.true_s() + self.wrong_s, lambda: self.up_s)

    def true_s(self) -> float:
        return TRUE_S + self.up_s

    def hears(self, after_s: float) -> None:
        """An answer that was stamped now and takes a while to come."""
        date = formatdate(self.true_s(), usegmt=True)
        self.up_s += after_s
        self.clock.hear(date)


def test_before_the_first_answer_the_own_clock_is_all_there_is() -> None:
    """Nothing was heard yet: the machine's clock goes."""
    machine = Machine(wrong_s=240)
    assert machine.clock.now_s() == machine.true_s() + 240
    assert machine.clock.wall_is_ahead_s() == 0


def test_a_wrong_clock_counts_no_more_once_azure_has_spoken() -> None:
    """Whatever the machine's clock says, then or later, the time is Azure's to a second or so and goes on."""
    machine = Machine(wrong_s=-240)
    machine.hears(after_s=0.1)
    machine.wrong_s = 3600
    machine.up_s += 1000.25
    assert 0 <= machine.true_s() - machine.clock.now_s() < 1.2
    assert 3600 <= machine.clock.wall_is_ahead_s() < 3601.2


def test_a_slow_answer_does_not_set_the_clock_back() -> None:
    """The answer that was on its way for the shortest time, as it seems, is gone by."""
    machine = Machine(wrong_s=0)
    machine.hears(after_s=0.0)
    machine.hears(after_s=25.0)
    assert machine.true_s() - machine.clock.now_s() < 1


def test_a_fast_monotonic_clock_is_no_faster_than_two_hours_make_it() -> None:
    """A machine that counts 50 seconds in a million too many is under a second and a half ahead after a month."""
    machine = Machine(wrong_s=0)
    true_s = machine.true_s()
    for _ in range(30 * 24 * 6):
        true_s += 600
        machine.up_s += 600 * (1 + 50e-6)
        machine.clock.hear(formatdate(true_s, usegmt=True))
    assert -1 <= machine.clock.now_s() - true_s < 0.5


def test_what_is_no_date_is_passed_over() -> None:
    """A proxy's odd header stops nothing."""
    machine = Machine(wrong_s=7)
    machine.clock.hear("yesterday")
    assert machine.clock.now_s() == machine.true_s() + 7
