from appliance.core.blocking.block import BlockRequest
from appliance.core.detection.incident import Incident, Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.response import LONGEST_S, Response, Responses
from appliance.core.refusal import Code

SCANNER, OTHER = "10.0.0.7", "10.0.0.8"


def incident(
    severity: Severity,
    latest_s: float,
    source: str = SCANNER,
    kind: IncidentKind = IncidentKind.PORT_SCAN,
    count: int = 100,
) -> Incident:
    return Incident(kind, source, severity, count, "a sentence", latest_s)


def test_without_a_response_nothing_is_due() -> None:
    assert Responses("sales", None).due([incident(Severity.CRITICAL, 10)]) == []


def test_a_grave_incident_is_due_once_for_each_source() -> None:
    responses = Responses("sales", Response(Severity.HIGH, 600))
    grave, worse = incident(Severity.HIGH, 10), incident(Severity.CRITICAL, 10, OTHER)
    sweep = incident(Severity.CRITICAL, 10, OTHER, IncidentKind.HOST_SWEEP, count=300)
    assert [one.target for one in responses.due([incident(Severity.MEDIUM, 10), grave, worse, sweep])] == [
        SCANNER,
        OTHER,
    ]


def test_a_blocked_source_is_due_again_only_if_it_goes_on_after_its_block() -> None:
    responses = Responses("sales", Response(Severity.HIGH, 600))
    [request] = responses.due([incident(Severity.HIGH, 10)])
    assert request == BlockRequest(SCANNER, "a sentence", 600, "sales", "detection", "detection")
    responses.mark_answered(request, 10)
    assert responses.due([incident(Severity.HIGH, 605)]) == []  # it is seen to try while it is blocked
    assert len(responses.due([incident(Severity.HIGH, 610)])) == 1
    assert responses.due([]) == []  # it has ended, and is forgotten
    assert len(responses.due([incident(Severity.HIGH, 20)])) == 1


def test_a_source_that_is_blocked_until_lifted_is_not_due_again() -> None:
    responses = Responses("sales", Response(Severity.LOW, 0))
    [request] = responses.due([incident(Severity.LOW, 10)])
    responses.mark_answered(request, 10)
    assert responses.due([incident(Severity.LOW, 1e9)]) == []


def test_a_request_refused_by_a_maintenance_is_due_again_at_once() -> None:
    responses = Responses("sales", Response(Severity.LOW, 60))
    scan = incident(Severity.LOW, 10)
    [request] = responses.due([scan])
    responses.mark_answered(request, 10, Code.MAINTENANCE)
    assert responses.due([scan]) == [request]


def test_a_request_refused_otherwise_is_due_again_only_after_its_time() -> None:
    responses = Responses("sales", Response(Severity.LOW, 60))
    [request] = responses.due([incident(Severity.LOW, 10)])
    responses.mark_answered(request, 10, Code.PROTECTED_ADDRESS)
    assert responses.due([incident(Severity.LOW, 69)]) == []
    assert responses.due([incident(Severity.LOW, 70)]) == [request]


def test_only_the_kinds_that_are_named_are_due() -> None:
    responses = Responses("sales", Response(Severity.LOW, 60, frozenset({IncidentKind.BRUTE_FORCE})))
    scan, guessing = (
        incident(Severity.HIGH, 10, kind=one) for one in (IncidentKind.PORT_SCAN, IncidentKind.BRUTE_FORCE)
    )
    assert responses.due([scan]) == []
    assert responses.reason_against(scan, None) is None
    assert [one.target for one in responses.due([scan, guessing])] == [SCANNER]


def test_who_comes_back_is_blocked_for_twice_as_long_each_time_up_to_a_day() -> None:
    responses, durations, now_s = Responses("sales", Response(Severity.LOW, 600)), [], 0.0
    for _ in range(10):
        [request] = responses.due([incident(Severity.LOW, now_s)])
        durations.append(request.duration_s)
        responses.mark_answered(request, now_s)
        assert responses.due([]) == []  # the incident has ended
        now_s += 2 * LONGEST_S
    assert durations == [600, 1200, 2400, 4800, 9600, 19_200, 38_400, 76_800, 86_400, 86_400]


def test_a_block_that_was_refused_does_not_double_the_next() -> None:
    responses = Responses("sales", Response(Severity.LOW, 60))
    [request] = responses.due([incident(Severity.LOW, 10)])
    responses.mark_answered(request, 10, Code.PROTECTED_ADDRESS)
    assert [one.duration_s for one in responses.due([incident(Severity.LOW, 70)])] == [60]


def test_a_block_that_is_configured_longer_than_a_day_stays_so() -> None:
    responses = Responses("sales", Response(Severity.LOW, 2 * LONGEST_S))
    [request] = responses.due([incident(Severity.LOW, 10)])
    responses.mark_answered(request, 10)
    assert [one.duration_s for one in responses.due([incident(Severity.LOW, 1e9)])] == [2 * LONGEST_S]
