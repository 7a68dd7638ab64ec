"""How many guesses an account allows, to strangers and at the address of the person themselves."""

from appliance.core.access.guess_limits import MOST_KNOWN, OF_ACCOUNT, OF_NEWCOMERS, GuessLimits, Visitor

ANNA = Visitor("anna", "10.1.0.5")
DAY_S = 86_400.0


def _guesses(limits: GuessLimits, networks: list[str], name: str, from_s: float, lasts_s: float) -> int:
    """The wrong passwords that are judged, of a guesser who tries from each network whenever it may."""
    guesses, now_s = 0, from_s
    while now_s < from_s + lasts_s:
        for network in networks:
            visitor = Visitor(name, network)
            if not limits.wait_s(visitor, now_s) and not limits.spend(visitor, now_s):
                limits.count_wrong(visitor, now_s)
                guesses += 1
        now_s += 30.0
    return guesses


def test_any_number_of_addresses_has_a_few_thousand_guesses_a_day_at_one_account() -> None:
    networks = [f"10.{n // 250}.{n % 250}.1" for n in range(3000)]
    assert _guesses(GuessLimits(), networks, "anna", 0.0, 3600.0) <= OF_ACCOUNT.burst + OF_NEWCOMERS.burst + 12 + 60


def test_a_day_of_guesses_from_many_addresses_stays_below_what_is_written() -> None:
    limits = GuessLimits()
    networks = [f"10.0.{n // 250}.{n % 250}" for n in range(20)]
    assert _guesses(limits, networks, "anna", 0.0, DAY_S) <= 2830


def test_no_guess_from_elsewhere_makes_a_known_person_wait() -> None:
    limits = GuessLimits([ANNA])
    _guesses(limits, [f"10.0.0.{n}" for n in range(200)], "anna", 0.0, 3600.0)
    assert limits.wait_s(ANNA, 3600.0) == limits.spend(ANNA, 3600.0) == limits.rank(ANNA, 3600.0) == 0


def test_no_guess_at_another_account_behind_the_same_address_makes_a_known_person_wait() -> None:
    limits = GuessLimits([ANNA])
    _guesses(limits, [ANNA.network], "eve", 0.0, 3600.0)
    assert limits.wait_s(Visitor("eve", ANNA.network), 3600.0) > 0
    assert limits.wait_s(ANNA, 3600.0) == 0


def test_at_the_person_s_own_address_guesses_are_limited_too() -> None:
    guesses = _guesses(GuessLimits([ANNA]), [ANNA.network], "anna", 0.0, DAY_S)
    assert guesses <= 1445


def test_a_person_at_a_new_desk_is_judged_although_strangers_have_used_up_the_account_s_guesses() -> None:
    limits = GuessLimits()
    _guesses(limits, [f"10.0.0.{n}" for n in range(200)], "anna", 0.0, 20_000.0)
    assert limits.spend(Visitor("anna", "10.0.0.1"), 20_000.0) > 0
    assert limits.spend(ANNA, 20_000.0) == 0


def test_a_known_address_is_known_for_its_person_only_and_the_oldest_is_forgotten() -> None:
    limits = GuessLimits([ANNA])
    assert limits.is_known(ANNA)
    assert not limits.is_known(Visitor("bert", ANNA.network))
    assert limits.lane(ANNA) != limits.lane(Visitor("bert", ANNA.network))
    for number in range(MOST_KNOWN):
        limits.remember_login(Visitor("anna", f"10.2.0.{number}"))
    assert not limits.is_known(ANNA)
