"""The words of the page for people who are cut off, in English and German, and sizes, spans and times in them."""

import re
from datetime import datetime, timedelta

from msgspec import Struct

from appliance.core.metering.quota import QuotaKind

LONGEST_READ = 500  # characters of an `Accept-Language`; browsers send some dozens
# Each from the least size on that has two significant digits in it.
UNITS: tuple[tuple[int, int, str], ...] = (
    (2**30, 2**30, "GiB"),
    (2**20 // 10, 2**20, "MiB"),
    (2**10 // 10, 2**10, "KiB"),
)

_LANGUAGE = re.compile(r"^\s*(?P<tag>[a-zA-Z]{2,3})(?:-[\w-]*)?\s*(?:;\s*q=(?P<weight>[01](?:\.\d{0,3})?))?\s*$")


class Words(Struct, frozen=True, kw_only=True):
    """The texts of one language. Words in braces are filled in; `**` begins and ends what is bold."""

    language: str
    decimal: str
    units: tuple[str, str, str]  # of days, hours and minutes
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    date: str
    here: str
    title: dict[QuotaKind, str]
    department: dict[QuotaKind, str]
    host: dict[QuotaKind, str]
    midnight: str
    later: str
    until: str
    used: str
    since: str
    opens: str
    ask: str
    name: str
    text: str
    send: str
    promise: str
    waiting: str
    waiting_since: str
    declined: str
    urgent: str
    not_cut_off: str
    not_cut_off_text: str
    reload: str
    open_again: str
    refused: str
    too_often: str
    too_many: str
    disk: str
    unreadable: str


ENGLISH = Words(
    language="en",
    decimal=".",
    units=("d", "h", "min"),
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    months=(
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    date="{weekday}, {day} {month}",
    here="{department} \N{MIDDLE DOT} this computer is {address}",
    title={
        QuotaKind.DAILY: "The quota for today is used up",
        QuotaKind.WEEKLY: "The quota for this week is used up",
        QuotaKind.MONTHLY: "The quota for this month is used up",
    },
    department={
        QuotaKind.DAILY: "Your department has used its {limit} for today.",
        QuotaKind.WEEKLY: "Your department has used its {limit} for this week.",
        QuotaKind.MONTHLY: "Your department has used its {limit} for this month.",
    },
    host={
        QuotaKind.DAILY: "This computer has used its {limit} for today.",
        QuotaKind.WEEKLY: "This computer has used its {limit} for this week.",
        QuotaKind.MONTHLY: "This computer has used its {limit} for this month.",
    },
    midnight="midnight tonight ({time}, in {span})",
    later="{date}, {time} (in {span})",
    until="Until **{when}** connections to the outside are refused. Nothing is wrong with your computer.",
    used="{used} of {limit} used",
    since="{used} of {limit} used, since {time}",
    opens="opens {time}",
    ask="Ask for more",
    name="Your name",
    text="What you need it for",
    send="Ask",
    promise="Goes to the IT team at once. This page opens by itself when it is granted.",
    waiting="The IT team has your request",
    waiting_since="Asked at {time}. This page opens by itself when it is granted.",
    declined="{actor} declined what you asked for at {time}.",
    urgent="Urgent? Ask **{contact}**. Inside your department everything works as usual.",
    not_cut_off="Not cut off",
    not_cut_off_text="No quota cuts this computer off, so there is nothing to ask for.",
    reload="Load the page again.",
    open_again="What you wanted to see is open again:",
    refused="Give your name, at most {name} characters, and what you need it for, at most {text}.",
    too_often="{number} requests an hour are taken from one computer. The next one in {span}.",
    too_many="Too many requests of your department are open. Ask {contact} directly.",
    disk="The request cannot be kept now. Ask {contact} directly.",
    unreadable="The request could not be read.",
)
GERMAN = Words(
    language="de",
    decimal=",",
    units=("T.", "Std.", "Min."),
    weekdays=("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    months=(
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
    date="{weekday}, {day}. {month}",
    here="{department} \N{MIDDLE DOT} dieser Rechner ist {address}",
    title={
        QuotaKind.DAILY: "Das Kontingent für heute ist aufgebraucht",
        QuotaKind.WEEKLY: "Das Kontingent dieser Woche ist aufgebraucht",
        QuotaKind.MONTHLY: "Das Kontingent dieses Monats ist aufgebraucht",
    },
    department={
        QuotaKind.DAILY: "Ihre Abteilung hat ihre {limit} für heute verbraucht.",
        QuotaKind.WEEKLY: "Ihre Abteilung hat ihre {limit} für diese Woche verbraucht.",
        QuotaKind.MONTHLY: "Ihre Abteilung hat ihre {limit} für diesen Monat verbraucht.",
    },
    host={
        QuotaKind.DAILY: "Dieser Rechner hat seine {limit} für heute verbraucht.",
        QuotaKind.WEEKLY: "Dieser Rechner hat seine {limit} für diese Woche verbraucht.",
        QuotaKind.MONTHLY: "Dieser Rechner hat seine {limit} für diesen Monat verbraucht.",
    },
    midnight="Mitternacht ({time}, in {span})",
    later="{date}, {time} (in {span})",
    until="Bis **{when}** werden Verbindungen nach außen abgewiesen. Mit Ihrem Rechner ist alles in Ordnung.",
    used="{used} von {limit} verbraucht",
    since="{used} von {limit} verbraucht, seit {time}",
    opens="öffnet {time}",
    ask="Um mehr bitten",
    name="Ihr Name",
    text="Wofür Sie es brauchen",
    send="Bitten",
    promise="Geht sofort an die IT. Diese Seite öffnet sich von selbst, wenn es gewährt ist.",
    waiting="Die IT hat Ihre Bitte",
    waiting_since="Gesendet um {time}. Diese Seite öffnet sich von selbst, wenn es gewährt ist.",
    declined="{actor} hat Ihre Bitte von {time} abgelehnt.",
    urgent="Eilig? Fragen Sie **{contact}**. Innerhalb Ihrer Abteilung geht alles wie gewohnt.",
    not_cut_off="Nicht abgeschaltet",
    not_cut_off_text="Kein Kontingent schaltet diesen Rechner ab; es gibt nichts zu bitten.",
    reload="Laden Sie die Seite neu.",
    open_again="Was Sie sehen wollten, ist wieder offen:",
    refused="Geben Sie Ihren Namen an, höchstens {name} Zeichen, und wofür Sie es brauchen, höchstens {text}.",
    too_often="Von einem Rechner werden {number} Bitten in der Stunde angenommen. Die nächste in {span}.",
    too_many="Zu viele Bitten Ihrer Abteilung sind offen. Fragen Sie {contact} direkt.",
    disk="Die Bitte kann gerade nicht aufbewahrt werden. Fragen Sie {contact} direkt.",
    unreadable="Die Bitte konnte nicht gelesen werden.",
)
LANGUAGES = {one.language: one for one in (ENGLISH, GERMAN)}


def words_for(accept_language: str) -> Words:
    """The texts in the language that the browser prefers (RFC 9110, section 12.5.4); English for any but German."""
    found = [_LANGUAGE.match(part) for part in accept_language[:LONGEST_READ].split(",")]
    known = [one for one in found if one and one["tag"].lower() in LANGUAGES]
    best = max(known, key=lambda one: float(one["weight"] or 1), default=None)  # of equal weights the first
    return ENGLISH if best is None or float(best["weight"] or 1) == 0 else LANGUAGES[best["tag"].lower()]


def size_words(size_bytes: int, words: Words, of_bytes: int | None = None) -> str:
    """A size with three digits where it is not whole. `of_bytes`: the limit, whose unit it takes."""
    unit, name = next(((unit, name) for least, unit, name in UNITS if least <= (of_bytes or size_bytes)), (1, "B"))
    amount = size_bytes / unit
    if of_bytes is None and size_bytes % unit == 0:
        return f"{size_bytes // unit} {name}"
    shown = f"{amount:.{0 if amount >= 99.95 else 1 if amount >= 9.995 else 2}f}".replace(".", words.decimal)
    return shown if of_bytes is not None else f"{shown} {name}"


def span_words(span: timedelta, words: Words) -> str:
    """A span in its two largest units, the minutes rounded up: `9 h 28 min`."""
    minutes = max(1, -(-int(span.total_seconds()) // 60))
    numbers = (minutes // 1440, minutes // 60 % 24, minutes % 60)
    parts = [f"{number} {unit}" for number, unit in zip(numbers, words.units, strict=True) if number]
    return " ".join(parts[:2])


def reset_words(resets_at: datetime, now: datetime, words: Words) -> str:
    """When a quota resets, for a sentence. Both times are in the zone whose midnight ends a day."""
    time, span = f"{resets_at:%H:%M}", span_words(resets_at - now, words)
    if resets_at.date() - now.date() == timedelta(days=1) and time == "00:00":
        return words.midnight.format(time=time, span=span)
    return words.later.format(date=date_words(resets_at, words), time=time, span=span)


def time_words(at: datetime, now: datetime, words: Words) -> str:
    """A time as people name it: the clock's within a day, else with the date."""
    time = f"{at:%H:%M}"
    return time if abs(at - now) < timedelta(days=1) else f"{date_words(at, words)}, {time}"


def date_words(at: datetime, words: Words) -> str:
    """A date with its weekday."""
    return words.date.format(weekday=words.weekdays[at.weekday()], day=at.day, month=words.months[at.month - 1])
