"""How the client handles Jenkins' answers, both recorded and broken ones."""

import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from epochal.chains.jenkins.client import JenkinsClient, JenkinsError
from tests.chains.jenkins.answers import ANSWERS
from tests.chains.jenkins.standin import StandIn

_PARAMETERISED = """\
<project><description/><properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions>
<hudson.model.StringParameterDefinition><name>EPOCHAL_RUN</name><defaultValue/></hudson.model.StringParameterDefinition>
</parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties>
<builders><hudson.tasks.Shell><command>echo of run $EPOCHAL_RUN; sleep 600</command></hudson.tasks.Shell></builders></project>
"""


@pytest.fixture
def job(standin: StandIn) -> str:
    """Return the name of a job that has a parameter and whose builds run until they are stopped."""
    standin.jobs["job"] = _PARAMETERISED
    return "job"


def test_build_is_triggered_labelled_and_stopped(client: JenkinsClient, standin: StandIn, job: str) -> None:
    """Follow one build from its queue item to its console output."""
    item = client.trigger(job, {"EPOCHAL_RUN": "7"})
    assert item == 1
    standin.wait(lambda: "of run 7" in standin.newest(job).console)
    answer = client.queue_item(item)
    assert answer
    assert answer["executable"]["number"] == 1
    client.label_build(job, 1, "0.831 (threshold 0.80) · 40 epochs", "run 7 <b>")
    client.stop_build(job, 1)
    standin.wait(lambda: not standin.newest(job).building)
    found = client.job(job, builds=5)
    assert found
    (build,) = found["builds"]
    assert (build["result"], build["displayName"], build["description"]) == (
        "ABORTED",
        "0.831 (threshold 0.80) · 40 epochs",
        "run 7 <b>",
    )
    assert "Finished: ABORTED" in client.console(job, 1)


def test_same_parameters_share_a_queue_item(client: JenkinsClient, standin: StandIn, job: str) -> None:
    """Jenkins answers 303 with the waiting item. Cancelling an item twice, or an unknown one, is not an error."""
    standin.agent_online = False
    item = client.trigger(job, {"EPOCHAL_RUN": "7"})
    assert item is not None
    assert client.trigger(job, {"EPOCHAL_RUN": "7"}) == item
    assert client.trigger(job, {"EPOCHAL_RUN": "8"}) == item + 1
    assert [waiting["id"] for waiting in client.get_queue_info()] == [item, item + 1]
    client.cancel_item(item)
    client.cancel_item(item)
    client.cancel_item(999)
    answer = client.queue_item(item)
    assert answer
    assert answer["cancelled"] is True
    assert client.queue_item(999) is None


@pytest.mark.parametrize(
    ("situation", "message"),
    [
        ("starting", "is starting or shutting down"),
        ("starting GET", "does not accept epochal's token (or is still starting)"),
        ("starting POST", "refused a request by epochal (or is still starting)"),
        ("anonymous", "the permission hudson.model.Hudson.Read is missing"),
        ("missing", "does not have the requested job or page"),
        ("disabled", "says that the job is disabled"),
        ("bad xml", "responded with 500 Internal Server Error: Oops! A problem occurred"),
        ("nothing submitted", "responded with 400 Bad Request: HTTP ERROR 400 Nothing is submitted"),
    ],
)
def test_refusal_is_reported_in_one_line(
    client: JenkinsClient, standin: StandIn, job: str, situation: str, message: str
) -> None:
    """The error also has Jenkins' status code, which decides whether the request is retried."""
    standin.next_answers.append(ANSWERS[situation])
    with pytest.raises(JenkinsError) as error:
        client.trigger(job, {"EPOCHAL_RUN": "7"})
    assert error.value.status == ANSWERS[situation].status
    assert message in str(error.value).replace("&nbsp;", "")
    assert "\n" not in str(error.value)


def _send_half_a_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"items": [')
    handler.close_connection = True


def _close_connection(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def _never_answer(handler: BaseHTTPRequestHandler) -> None:
    handler.rfile.read(1)  # Returns once the client has closed the connection.


def _send_half_of_the_json(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "11")
    handler.end_headers()
    handler.wfile.write(b'{"items": [')


@pytest.mark.parametrize("answer", [_send_half_a_body, _close_connection, _send_half_of_the_json])
def test_incomplete_answer_is_an_error(
    client: JenkinsClient, standin: StandIn, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    """A truncated body, a closed connection and truncated JSON each raise an error without a status code."""
    standin.next_answers.append(answer)
    with pytest.raises(JenkinsError) as error:
        client.get_queue_info()
    assert error.value.status is None


def test_missing_answer_is_an_error(client: JenkinsClient, standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says whether Jenkins timed out or refused the connection."""
    monkeypatch.setattr(client._jenkins, "timeout", 0.2)
    standin.next_answers.append(_never_answer)
    with pytest.raises(JenkinsError, match=r"does not answer: .*[Tt]imed out") as error:
        client.get_queue_info()
    standin.stop()
    with pytest.raises(JenkinsError, match=r"does not answer: .*refused") as error:
        client.get_queue_info()
    assert error.value.status is None


def test_another_server_is_not_taken_for_jenkins(client: JenkinsClient, standin: StandIn) -> None:
    """An answer without Jenkins' headers comes from another server."""
    standin.next_answers.append(ANSWERS["created"])
    with pytest.raises(JenkinsError, match="is not Jenkins"):
        client.version()


def test_missing_permissions_are_found_without_changing_anything(
    client: JenkinsClient, standin: StandIn, job: str
) -> None:
    """The probes are deliberately invalid requests: Jenkins answers 400 if the user has the permission, else 403."""
    assert client.missing_permissions(job) == []
    standin.forbidden = {"hudson.model.Item.Create", "hudson.model.Item.Build"}
    assert client.missing_permissions(job) == ["Job/Create", "Job/Build"]
    assert list(standin.jobs) == [job]
    assert standin.known_items == {}


def test_errors_of_python_jenkins_become_jenkins_errors(client: JenkinsClient, standin: StandIn, job: str) -> None:
    """python-jenkins itself finds that the job exists, with one request and without fetching a crumb."""
    with pytest.raises(JenkinsError, match=r"/: job\[job\] already exists\.$"):
        client.create_job(job, _PARAMETERISED)
    assert standin.requests == [("GET", "/job/job/api/json?tree=name")]


def test_second_error_does_not_get_the_status_of_the_first(client: JenkinsClient, standin: StandIn) -> None:
    """Python links the earlier error, a 404, to the new one as its context, but only the new one's own cause counts."""
    with pytest.raises(JenkinsError, match="does not have the requested job or page"):
        client.console("missing", 1)
    try:
        client.stop_build("missing", 1)
    except JenkinsError:
        standin.next_answers.append(_send_half_a_body)
        with pytest.raises(JenkinsError, match="does not answer") as error:
            client.get_queue_info()
    assert error.value.status is None
