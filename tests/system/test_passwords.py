import argon2
import pytest

from appliance.server.access.password_judge import UNKNOWN_PERSON_HASH
from appliance.system import passwords


@pytest.fixture(scope="module")
def password_hash() -> str:
    return passwords.hashed("correct horse battery staple")


def test_the_right_password_matches_and_another_does_not(password_hash: str) -> None:
    assert passwords.matches("correct horse battery staple", password_hash)
    assert not passwords.matches("correct horse battery stapler", password_hash)
    assert not passwords.matches("", password_hash)


def test_the_same_password_is_hashed_differently_each_time(password_hash: str) -> None:
    assert passwords.hashed("correct horse battery staple") != password_hash


def test_any_text_can_be_a_password() -> None:
    odd = 'größe "\\\n\x00 🐎'
    assert passwords.matches(odd, passwords.hashed(odd))


def test_the_parameters_are_those_that_owasp_finds_enough(password_hash: str) -> None:
    found = argon2.extract_parameters(password_hash)
    assert (found.type, found.memory_cost, found.time_cost) == (argon2.Type.ID, 19456, 2)


def test_judging_nobodys_password_is_the_same_work(password_hash: str) -> None:
    assert argon2.extract_parameters(UNKNOWN_PERSON_HASH) == argon2.extract_parameters(password_hash)
    with pytest.raises(argon2.exceptions.VerifyMismatchError):  # and not InvalidHashError, which costs no work
        argon2.PasswordHasher().verify(UNKNOWN_PERSON_HASH, "anything")


def test_what_is_no_hash_matches_nothing() -> None:
    assert not passwords.matches("anything", "nonsense")
