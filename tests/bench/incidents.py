"""How well incidents are told: attacks that are found, ordinary administration and quiet captures that stay quiet.

    tests/bench/run incidents [FOLDER...]

Without a folder, the frames of `tests/bench/hostile.py` and `tests/bench/ordinary.py` are judged, every one on the
product's way: the kernel's filter, the decoder, the detectors. The constants of the detectors were chosen on these.

A folder has a `labels.jsonl`: on each line a JSON object with `file`, the path of a capture from the folder above or
from this one, `positive`, whether it is an attack, and `attacker`, whose address must be the source, if it is known.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

from appliance.core.detection.abuse.arp import claim_in, question_in
from appliance.core.detection.incident import IncidentChange, IncidentUpdate
from appliance.core.detection.open_incidents import Incidents
from appliance.core.kernel.bpf.capture_filter import MOST_UNANSWERED
from appliance.core.traffic.packet import decode
from tests.bench.hostile import ATTACKS, Timed
from tests.bench.names import Filter
from tests.bench.ordinary import ORDINARY

STEP_S = 1.0  # between two judgements, as the service has it
AFTER_S = 10.0  # judged after the last frame, and after each gap's begin
MOST_NAMED = 3
NANOSECONDS = {b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">"}
MICROSECONDS = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}
ETHERNET, RAW = 1, 101


class Told(NamedTuple):
    """What was told at a time."""

    at_s: float
    update: IncidentUpdate

    @property
    def is_begin(self) -> bool:
        return self.update.change is IncidentChange.OPENED


class Passing(Protocol):
    """A filter for frames."""

    def __call__(self, frame: bytes) -> bytes | None:
        """The part of a frame that it passes; `None`: it drops the frame."""

    def renew(self) -> None:
        """Forget what was passed."""


class Judge:
    """The product's way of a frame to what is told, judged each second."""

    def __init__(self, found: Passing) -> None:
        self._filter, self._incidents = found, Incidents()
        self._judged_s, self._count = 0.0, 0
        self.news: list[Told] = []

    def follow(self, at_s: float, frame: bytes) -> None:
        """Give it a frame, after judging what came before."""
        now_s = at_s + 1000.0
        if self._judged_s == 0:
            self._judged_s = now_s
        if now_s - self._judged_s >= STEP_S:
            self.judge(min(now_s - self._judged_s, AFTER_S))
            if self._count > MOST_UNANSWERED:
                self._filter.renew()
            self._judged_s, self._count = now_s, 0
        self._count += 1
        passed = self._filter(frame)
        if passed is not None and (packet := decode(passed)) is not None:
            self._incidents.follow(packet, now_s)
        elif passed is not None:
            self._follow_neighbour(passed, now_s)

    def judge(self, span_s: float) -> None:
        """Judge each second from the latest judgement on."""
        for step in range(int(span_s / STEP_S)):
            now_s = self._judged_s + (step + 1) * STEP_S
            self.news += [Told(now_s - 1000, one) for one in self._incidents.judge(now_s)]

    def _follow_neighbour(self, frame: bytes, now_s: float) -> None:
        if (claim := claim_in(frame)) is not None:
            self._incidents.follow_claim(claim, (), now_s)
        if (question := question_in(frame)) is not None:
            self._incidents.follow_question(question, now_s)


def told(found: Passing, captured: Iterable[Timed]) -> list[Told]:
    """What is told of these frames, in the order of their times."""
    judge = Judge(found)
    for one in captured:
        judge.follow(*one)
    judge.judge(AFTER_S)
    return judge.news


def run(words: Sequence[str] = ()) -> Iterator[str]:
    """The rows, of the folders that are named or of the made-up frames."""
    with closing(Filter()) as found:
        for word in words:
            yield from _captures(found, Path(word))
        if not words:
            yield from _made(found)


def _made(found: Filter) -> Iterator[str]:
    right, lost = 0, []
    for name, (making, kinds) in ATTACKS.items():
        news = told(found, sorted(making(Random(name)), key=lambda one: one[0]))
        begun = [one for one in news if one.is_begin]
        is_found = any(one.update.incident.kind in kinds for one in begun)
        right += is_found
        wrong = sorted({one.update.incident.kind for one in begun} - kinds)
        if not is_found or wrong:
            lost.append(
                f"    {'found' if is_found else 'not found'}: {name}{'; also ' * bool(wrong)}{', '.join(wrong)}"
            )
    yield f"attacks: {right} of {len(ATTACKS)} found"
    yield from lost
    quiet, loud = 0, []
    for name, ordinary in ORDINARY.items():
        news = told(found, sorted(ordinary(Random(name)), key=lambda one: one[0]))
        quiet += not news
        loud += [f"    told {len(news)} times: {name}; {_sample(news)}"] if news else []
    yield f"ordinary administration: {quiet} of {len(ORDINARY)} quiet"
    yield from loud


def _captures(found: Filter, folder: Path) -> Iterator[str]:
    labels = [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines() if line.strip()]
    counts = {True: [0, 0], False: [0, 0]}
    rows = []
    for label in labels:
        path = next(one for one in (folder / label["file"], folder.parent / label["file"]) if one.exists())
        news = told(found, read(path))
        attackers = {one.update.incident.source for one in news}
        is_right = (
            bool(news) and label.get("attacker", next(iter(attackers))) in attackers if label["positive"] else not news
        )
        counts[label["positive"]][0] += is_right
        counts[label["positive"]][1] += 1
        if not is_right:
            rows.append(f"    {'not found' if label['positive'] else 'told'}: {label['file']}; {_sample(news)}")
    yield "captures of attacks: {} of {} found; quiet ones: {} of {} quiet".format(*counts[True], *counts[False])
    yield from rows


def _sample(news: Sequence[Told]) -> str:
    return " | ".join(f"{one.update.incident.kind}: {one.update.incident.details}" for one in news[:MOST_NAMED])


def read(path: Path) -> list[Timed]:
    """The frames of a pcap file with their times; of another link type or form: none."""
    data = path.read_bytes()
    order = NANOSECONDS.get(data[:4]) or MICROSECONDS.get(data[:4])
    if order is None:
        return []
    scale, link = 1e9 if data[:4] in NANOSECONDS else 1e6, struct.unpack_from(f"{order}I", data, 20)[0] & 0xFFFF
    at, captured = 24, []
    while at + 16 <= len(data):
        second, part, size, _ = struct.unpack_from(f"{order}IIII", data, at)
        frame = data[at + 16 : at + 16 + size]
        if link == RAW:
            frame = bytes(12) + (b"\x86\xdd" if frame[:1] >= b"\x60" else b"\x08\x00") + frame
        if link in {ETHERNET, RAW}:
            captured.append((second + part / scale, frame))
        at += 16 + size
    first_s = min((at_s for at_s, _ in captured), default=0.0)
    return sorted(((at_s - first_s, frame) for at_s, frame in captured), key=lambda one: one[0])
