from appliance.core.alerting.home_assistant import Topics, discovery_topic


def test_a_name_of_other_letters_makes_topics_that_home_assistant_takes() -> None:
    topics = Topics("office/appliance", "pi.büro #1")
    assert topics.notices == "office/appliance/pi_b_ro__1/notices"
    assert topics.availability == "office/appliance/pi_b_ro__1/availability"
    assert discovery_topic(topics, "homeassistant") == "homeassistant/event/pi_b_ro__1/notices/config"
