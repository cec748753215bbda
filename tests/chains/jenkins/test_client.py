"""Each kind of answer, as it was recorded: what is made of it, and what is told."""

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
    """A job with a parameter whose build lasts."""
    standin.jobs["job"] = _PARAMETERISED
    return "job"


def test_a_build_from_the_trigger_to_its_end(client: JenkinsClient, standin: StandIn, job: str) -> None:
    """201 with a queue item, its build, the label that only a form sets, the stop, and who stopped it."""
    item = client.trigger(job, {"EPOCHAL_RUN": "7"})
    assert item == 1
    standin.wait(lambda: "of run 7" in standin.newest(job).console)
    answer = client.queue_item(item)
    assert answer
    assert answer["executable"]["number"] == 1
    client.label_build(job, 1, "0.831 of 0.80 · epoch 40", "run 7 <b>")
    client.stop_build(job, 1)
    standin.wait(lambda: not standin.newest(job).building)
    found = client.job(job, builds=5)
    assert found
    (build,) = found["builds"]
    assert (build["result"], build["displayName"], build["description"]) == (
        "ABORTED",
        "0.831 of 0.80 · epoch 40",
        "run 7 <b>",
    )
    assert "Finished: ABORTED" in client.console(job, 1)


def test_the_same_parameters_in_the_queue(client: JenkinsClient, standin: StandIn, job: str) -> None:
    """303 leads to the item that waits already; it can be cancelled, twice without harm."""
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
    ("situation", "told"),
    [
        ("starting", "is starting, or shutting down"),
        ("starting GET", "does not accept epochal's token (or is still starting)"),
        ("starting POST", "does not allow epochal this, or is still starting"),
        ("anonymous", "the permission hudson.model.Hudson.Read is missing"),
        ("missing", "has nothing there"),
        ("disabled", "has the job disabled"),
        ("bad xml", "answered 500 Internal Server Error: Oops! A problem occurred"),
        ("nothing submitted", "answered 400 Bad Request: HTTP ERROR 400 Nothing is submitted"),
    ],
)
def test_what_is_told_of_a_refusal(
    client: JenkinsClient, standin: StandIn, job: str, situation: str, told: str
) -> None:
    """Each refusal is one sentence, with the status for those who try again."""
    standin.next_answers.append(ANSWERS[situation])
    with pytest.raises(JenkinsError) as error:
        client.trigger(job, {"EPOCHAL_RUN": "7"})
    assert error.value.status == ANSWERS[situation].status
    assert told in str(error.value).replace("&nbsp;", "")
    assert "\n" not in str(error.value)


def _half(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"items": [')
    handler.close_connection = True


def _cut_off(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def _silence(handler: BaseHTTPRequestHandler) -> None:
    handler.rfile.read(1)  # until the client has gone


def _half_json(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "11")
    handler.end_headers()
    handler.wfile.write(b'{"items": [')


@pytest.mark.parametrize("answer", [_half, _cut_off, _half_json])
def test_half_an_answer_is_none(
    client: JenkinsClient, standin: StandIn, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    """A body that ends too early, a connection that breaks, JSON that is cut: an error of its own, not a crash."""
    standin.next_answers.append(answer)
    with pytest.raises(JenkinsError) as error:
        client.get_queue_info()
    assert error.value.status is None


def test_nobody_answers(client: JenkinsClient, standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens, or nothing comes in time."""
    monkeypatch.setattr(client._jenkins, "timeout", 0.2)
    standin.next_answers.append(_silence)
    with pytest.raises(JenkinsError, match=r"does not answer: .*[Tt]imed out") as error:
        client.get_queue_info()
    standin.stop()
    with pytest.raises(JenkinsError, match=r"does not answer: .*refused") as error:
        client.get_queue_info()
    assert error.value.status is None


def test_what_is_no_jenkins(client: JenkinsClient, standin: StandIn) -> None:
    """Something else at the address is told as such."""
    standin.next_answers.append(ANSWERS["created"])
    with pytest.raises(JenkinsError, match="it is no Jenkins"):
        client.version()


def test_rights_are_probed_without_changing_anything(client: JenkinsClient, standin: StandIn, job: str) -> None:
    """400 means allowed, 403 forbidden; nothing is made and nothing is started."""
    assert client.missing_rights(job) == []
    standin.forbidden = {"hudson.model.Item.Create", "hudson.model.Item.Build"}
    assert client.missing_rights(job) == ["Job/Create", "Job/Build"]
    assert list(standin.jobs) == [job]
    assert standin.left == {}


def test_a_fault_that_python_jenkins_finds(client: JenkinsClient, standin: StandIn, job: str) -> None:
    """The library found it without a refusal by Jenkins; no crumb was fetched for it."""
    with pytest.raises(JenkinsError, match=r"/: job\[job\] already exists\.$"):
        client.create_job(job, _PARAMETERISED)
    assert standin.requests == [("GET", "/job/job/api/json?tree=name")]


def test_an_answer_behind_a_handled_error(client: JenkinsClient, standin: StandIn) -> None:
    """While another error is handled, the reason is the newer one."""
    with pytest.raises(JenkinsError, match="has nothing there"):
        client.console("missing", 1)
    try:
        client.stop_build("missing", 1)
    except JenkinsError:
        standin.next_answers.append(_half)
        with pytest.raises(JenkinsError, match="does not answer") as error:
            client.get_queue_info()
    assert error.value.status is None
