"""The schema of the state, as a sequence of migrations.

A released migration is never edited, because files have had it; a further change is another one at the end.
"""

from sqlite_utils.db import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("appliance")


@migrations(name="0001_ledgers_blocks_maintenance")
def _ledgers_blocks_maintenance(database: Database) -> None:
    """Books, limits, blocks and the maintenance."""
    database.table("ledger").create(
        {"department": str, "kind": str, "start": str, "used_bytes": int, "raised": str, "granted_bytes": int},
        pk=("department", "kind", "start"),
    )
    database.table("quota_limit").create(
        {"department": str, "kind": str, "limit_bytes": int}, pk=("department", "kind")
    )
    database.table("mark").create(
        {"department": str, "identity": str, "up_bytes": int, "down_bytes": int}, pk="department"
    )
    database.table("saving").create({"id": int, "at": str}, pk="id")
    # SQLite counts every NULL in a key as different: all departments are the empty text here.
    texts = ("target", "department", "reason", "actor", "origin", "started_at", "expires_at")
    database.table("block").create(dict.fromkeys(texts, str) | {"announced": int}, pk=("target", "department"))
    database.table("maintenance").create(
        {"id": int, "kind": str, "start": str, "duration_s": int, "impact": str, "actor": str, "begun": int}, pk="id"
    )


@migrations(name="0002_blocks_by_origin")
def _blocks_by_origin(database: Database) -> None:
    """Each origin has blocks of its own; the kernel knows a block by its number."""
    block = database.table("block")
    block.add_column("number", int, not_null_default=0)
    block.add_column("is_provisional", int, not_null_default=0)
    block.transform(pk=("target", "department", "origin"))


@migrations(name="0003_what_blocked_names_resolve_to")
def _what_blocked_names_resolve_to(database: Database) -> None:
    """Addresses learned for blocked names, and the latest time of the blocks' clock."""
    database.table("learned").create(
        {"target": str, "department": str, "origin": str, "address": str, "ends": float},
        pk=("target", "department", "origin", "address"),
    )
    database.table("reckoning").create({"id": int, "at": str}, pk="id")


@migrations(name="0004_closed_ledgers")
def _closed_ledgers(database: Database) -> None:
    """The limit under which the kernel refused a packet that did not fit in the rest."""
    database.table("ledger").add_column("closed_at_bytes", int)


@migrations(name="0005_what_hosts_were_told")
def _what_hosts_were_told(database: Database) -> None:
    """Answers of the last day, in the order of their arrival: a row is added to the last page, and never changed."""
    database.table("learned").add_column("why", str, not_null_default="")
    columns = {"department": str, "name": str, "address": str, "answered_s": float, "kept_until_s": float}
    database.table("answer").create({**columns, "aliases": str, "server": str})


@migrations(name="0006_grants_and_limits_of_ended_periods")
def _grants_and_limits_of_ended_periods(database: Database) -> None:
    """Who granted more, when a limit was used up, and the limit of a period that has ended."""
    ledger = database.table("ledger")
    ledger.add_column("grants", str, not_null_default="[]")
    ledger.add_column("exceeded_at", str)
    ledger.add_column("limit_bytes", int)


@migrations(name="0007_quota_requests")
def _quota_requests(database: Database) -> None:
    """What people who are cut off have asked for."""
    texts = ("id", "department", "address", "name", "text", "at", "until", "state", "actor", "reason")
    database.table("quota_request").create(dict.fromkeys(texts, str), pk="id")


@migrations(name="0008_incidents")
def _incidents(database: Database) -> None:
    """Incidents with their evidence and course, and what is muted, each as JSON."""
    database.table("incident").create({"id": str, "latest_at": str, "facts": bytes}, pk="id")
    database.table("incident_mute").create({"id": str, "at": str, "facts": bytes}, pk="id")


@migrations(name="0009_planned_maintenances")
def _planned_maintenances(database: Database) -> None:
    """Several are planned, some again and again; the former version goes on with the first row."""
    maintenance = database.table("maintenance")
    maintenance.add_column("repeat", str)
    maintenance.add_column("anchor", str)
    maintenance.add_column("noticed", int, not_null_default=0)


@migrations(name="0010_devices")
def _devices(database: Database) -> None:
    """The register of devices, and since when each department's is learned."""
    texts = dict.fromkeys(("department", "mac", "label", "dhcp_name", "mdns_name", "addresses"), str)
    database.table("device").create({**texts, "first_s": float, "seen_s": float}, pk=("department", "mac"))
    database.table("known_server").create(
        dict.fromkeys(("department", "kind", "address", "mac"), str), pk=("department", "kind", "address", "mac")
    )
    database.table("device_learning").create({"department": str, "began_s": float}, pk="department")


@migrations(name="0011_notices")
def _notices(database: Database) -> None:
    """What people are told of who are not connected, what of it waits, and how the ways to them fare."""
    texts = ("at", "topic", "severity", "department", "text")
    database.table("notice").create({"number": int, **dict.fromkeys(texts, str)}, pk="number")
    database.table("delivery").create(
        {"channel": str, "notice": int, "due": str, "is_tried": int}, pk=("channel", "notice")
    )
    database.table("channel").create(
        {"name": str, "delivered_at": str, "fault": str, "fault_at": str, "given_up": int, "unreported": int}, pk="name"
    )


@migrations(name="0012_habits")
def _habits(database: Database) -> None:
    """What devices do each day, as JSON."""
    database.table("habit").create({"id": str, "facts": bytes}, pk="id")


@migrations(name="0013_schedules")
def _schedules(database: Database) -> None:
    """What is blocked, allowed or not limited in a part of the week, or for a while, each as JSON."""
    database.table("schedule").create({"id": str, "added_at": str, "facts": bytes}, pk="id")


@migrations(name="0014_sent_reports")
def _sent_reports(database: Database) -> None:
    """The latest report of each kind that was sent by a channel, so that none is sent again or left out."""
    texts = ("channel", "department", "kind", "first")
    database.table("sent_report").create(dict.fromkeys(texts, str), pk=("channel", "department", "kind"))


@migrations(name="0015_reverse_names")
def _reverse_names(database: Database) -> None:
    """The name that the network's name server has for a device."""
    database.table("device").add_column("dns_name", str, not_null_default="")
