"""How the count of an incident went on, in so few steps that a person sees them at once."""

from typing import Annotated

from msgspec import Meta, Struct, field

MOST_STEPS = 72  # bars beside each other on a telephone's screen of 360 px; 0.6 kB
NARROWEST_S = 5.0  # a fast scan is over within some minutes


class CountSeries(Struct):
    """The highest count in each step of `step_s` seconds; 0: there was no evidence.

    `offset_s`: from the incident's beginning to the first step. What does not fit makes the steps twice as wide. What
    no series can have is refused where one is read from the disk.
    """

    offset_s: Annotated[float, Meta(ge=0)] = 0.0
    step_s: Annotated[float, Meta(ge=NARROWEST_S)] = NARROWEST_S
    counts: Annotated[list[Annotated[int, Meta(ge=0)]], Meta(max_length=MOST_STEPS)] = field(default_factory=list)

    def follow(self, count: int, after_s: float) -> None:
        """Learn the count of this moment. `after_s`: seconds since the incident's beginning."""
        if not self.counts:
            self.offset_s = max(0.0, after_s)
        since_s = max(0.0, after_s - self.offset_s)  # the clock may have been set back while the service was not there
        while (place := int(since_s / self.step_s)) >= MOST_STEPS:
            self.counts = [max(self.counts[at : at + 2]) for at in range(0, len(self.counts), 2)]
            self.step_s *= 2
        self.counts += [0] * (place + 1 - len(self.counts))
        self.counts[place] = max(self.counts[place], count)
