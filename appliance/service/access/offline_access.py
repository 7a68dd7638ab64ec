"""Opens people and tokens for the command line, with or without a running service.

A user who can read the secret is the appliance's administrator already, and is asked for no password. A running service
notices a change within a second. Nothing that the service needs for serving is imported.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from appliance.core.access.audit_entry import Actor
from appliance.core.access.login_queue import Waiting
from appliance.core.moment import Moment
from appliance.server.access import AccessError, Authenticator
from appliance.server.access.audit_records import AuditRecords
from appliance.server.access.password_judge import PasswordJudge
from appliance.server.access.people import People
from appliance.service.access.own_token import load_secret, user_name
from appliance.system import passwords
from appliance.system.device.clock import KernelClock, boot_id
from appliance.system.passwords import PasswordsUnavailable
from appliance.system.storage.audit_store import AuditStoreUnavailable, SqliteAuditStore
from appliance.system.storage.people_store import PeopleStoreUnavailable, SqlitePeopleStore

REGISTER_FILE = "people.sqlite3"
TRAIL_FILE = "audit.sqlite3"


class LoneHashing:
    """Hashes at once: at the command line there is nobody to wait for."""

    def hashed(self, password: str) -> str:
        """The hash of a new password."""
        return passwords.hashed(password)

    def matches(self, password: str, password_hash: str, _visitor: Waiting, begin: Callable[[], None]) -> bool:
        """Whether this is the password."""
        begin()
        return passwords.matches(password, password_hash)


@contextmanager
def offline_people(state_dir: Path) -> Iterator[People]:
    """The people of this state directory, for the length of a `with`. Raises `AccessError`, also from within it."""
    secret = load_secret(state_dir)
    try:
        with (
            closing(SqlitePeopleStore(state_dir / REGISTER_FILE)) as people_store,
            closing(SqliteAuditStore(state_dir / TRAIL_FILE)) as audit_store,
        ):
            authenticator = Authenticator(secret, {}, people_store, boot_id(), now())
            audit = AuditRecords(audit_store)
            yield People(people_store, authenticator, PasswordJudge(people_store, LoneHashing(), audit), audit)
    except (PeopleStoreUnavailable, AuditStoreUnavailable, PasswordsUnavailable) as error:
        raise AccessError(str(error)) from None


def now() -> Moment:
    """The present instant."""
    return KernelClock().now()


def operator() -> Actor:
    """The user of the command line, for the audit trail."""
    return Actor(f"cli:{user_name()}")
