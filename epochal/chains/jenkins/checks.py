"""Check whether Jenkins is ready for the chain. A temporary job checks the agent."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Collection
from xml.sax.saxutils import escape

from epochal.chains.jenkins.client import JenkinsClient, JenkinsError
from epochal.chains.jenkins.definitions import Definition, exports, job_names, render
from epochal.chains.jenkins.plugins import OLDEST_VERSION, version_key
from epochal.chains.jenkins.provisioning import missing_plugins, state_of
from epochal.errors import EpochalError
from epochal.folders import Home
from epochal.jobs.installation import describe_installation
from epochal.records import PROOF_MARK, Log
from epochal.settings import Environment, ServerSettings

_PROOF_SECONDS = 120.0
_LOOK_SECONDS = 0.5
_PROOF_JOB = """\
<?xml version="1.0" encoding="utf-8"?>
<project>
  <description>Asks an agent what it works with; made and deleted by epochal jenkins check.</description>
  <quietPeriod>0</quietPeriod>
  {node}
  <builders><hudson.tasks.Shell><command>{command}</command></hudson.tasks.Shell></builders>
</project>
"""


class Unfit(EpochalError):
    """Raised by a check that fails. The text says what to do."""

    exit_status = 1


def check_all(
    client: JenkinsClient, settings: ServerSettings, environment: Environment, left_out: Collection[str], log: Log
) -> bool:
    """Run all checks, log one line for each, and return whether all passed.

    ``left_out`` names the plugins to do without. If Jenkins gives no proper answer, the checks that remain are skipped.
    """
    definitions = render(settings, left_out)
    questions: dict[str, Callable[[], str]] = {
        "reachable": lambda: _reachable(client),
        "login": lambda: _login(client),
        "crumbs": lambda: _crumbs(client),
        "rights": lambda: _rights(client, settings),
        "plugins": lambda: _plugins(client, definitions),
        "agent": lambda: _agent(client, settings.jenkins.label),
        "jobs": lambda: _jobs(client, definitions),
        "proof": lambda: _proof(client, settings, environment),
    }
    good = True
    for question, ask in questions.items():
        try:
            log(f"{question + ':':<10} yes  {ask()}")
        except EpochalError as error:
            good = False
            log(f"{question + ':':<10} no   {error}")
            if isinstance(error, JenkinsError) and error.status is None:
                break
    return good


def _reachable(client: JenkinsClient) -> str:
    version = client.version()
    if version_key(version) < version_key(OLDEST_VERSION):
        raise Unfit(f"{client.url} is Jenkins {version}; Epochal wants {OLDEST_VERSION} or newer.")
    return f"{client.url} is Jenkins {version}"


def _login(client: JenkinsClient) -> str:
    if not client.is_signed_in():
        raise Unfit(f"{client.url} does not know {client.user}: make an API token under the user's Security page.")
    return f"as {client.user}"


def _crumbs(client: JenkinsClient) -> str:
    if not client.has_crumbs():
        raise Unfit("Jenkins' protection against forged requests (CSRF) is off: turn it on under Security.")
    return "forged requests are refused"


def _rights(client: JenkinsClient, settings: ServerSettings) -> str:
    missing = client.missing_rights(job_names(settings)[-1])
    if missing:
        raise Unfit(f"{client.user} lacks {', '.join(missing)}: an admin grants them under Security.")
    return "may make, configure and start jobs"


def _plugins(client: JenkinsClient, definitions: list[Definition]) -> str:
    missing = missing_plugins(client, definitions)
    if missing:
        raise Unfit("missing: " + ", ".join(f"{name}:{version}" for name, version in missing))
    used = sorted(set().union(*(definition.plugins for definition in definitions)))
    return ", ".join(used) or "none is used"


def _agent(client: JenkinsClient, label: str) -> str:
    nodes = [node for node in client.nodes() if not label or label in [each["name"] for each in node["assignedLabels"]]]
    ready = [node for node in nodes if not node["offline"] and node["numExecutors"] > 0]
    if ready:
        return ", ".join(node["displayName"] for node in ready)
    wanted = f"the label {label}" if label else "an executor"
    if nodes:
        raise Unfit(f"{', '.join(each['displayName'] for each in nodes)}: has {wanted}, but is offline.")
    raise Unfit(f"no node has {wanted}: connect an agent that has it, or set [jenkins] label in server.toml.")


def _jobs(client: JenkinsClient, definitions: list[Definition]) -> str:
    states = {f"{each.kind} {each.name}": state_of(each, client.config(each.kind, each.name)) for each in definitions}
    wrong = [f"{name} is {state}" for name, state in states.items() if state != "unchanged"]
    if wrong:
        raise Unfit(f"{'; '.join(wrong)}: epochal jenkins apply sets it right.")
    return "as epochal jenkins apply made them"


def _proof(client: JenkinsClient, settings: ServerSettings, environment: Environment) -> str:
    nonce = secrets.token_hex(16)
    question = Home(environment.home).question(nonce)
    question.parent.mkdir(parents=True, exist_ok=True)
    question.write_bytes(secrets.token_bytes(16))
    try:
        ours, theirs = describe_installation(environment, nonce), _ask_agent(client, settings, nonce)
    finally:
        question.unlink()
    faults = {
        "scripts": "EPOCHAL_SCRIPTS has other job scripts there: install the same Epochal",
        "home": f"EPOCHAL_HOME is another folder there than {environment.home} here: share it at the same path",
        "database": "the database is another one there: set the same EPOCHAL_DATABASE",
    }
    wrong = [text for name, text in faults.items() if theirs.get(name) != ours[name]]
    sqlite = Home(environment.home).database_url(settings.database).startswith("sqlite")
    if sqlite and theirs.get("machine") != ours["machine"]:
        wrong.append("the agent is another machine, where SQLite loses writes: set database to a PostgreSQL")
    if wrong:
        raise Unfit(f"{'; '.join(wrong)}.")
    return "the agent has the gateway's scripts, database and EPOCHAL_HOME"


def _ask_agent(client: JenkinsClient, settings: ServerSettings, nonce: str) -> dict[str, str]:
    """Run ``prove.sh`` on an agent, in a temporary job, and return the digests that it prints."""
    label = settings.jenkins.label
    node = f"<assignedNode>{escape(label)}</assignedNode><canRoam>false</canRoam>" if label else ""
    command = "\n".join([*exports(settings.jenkins), f'"$EPOCHAL_SCRIPTS/prove.sh" {nonce}'])
    job = f"{settings.jenkins.prefix}epochal-check-{nonce[:8]}"
    client.create_job(job, _PROOF_JOB.format(node=node, command=escape(command)))
    try:
        text = _console_of_one_build(client, job)
    finally:
        client.delete_job(job)
    for line in text.splitlines():
        if PROOF_MARK in line:
            found: dict[str, str] = json.loads(line.partition(PROOF_MARK)[2])
            return found
    said = " | ".join(text.strip().splitlines()[-3:])
    raise Unfit(f"the agent could not run $EPOCHAL_SCRIPTS/prove.sh: {said}")


def _console_of_one_build(client: JenkinsClient, job: str) -> str:
    client.build_job(job)
    deadline = time.monotonic() + _PROOF_SECONDS
    while time.monotonic() < deadline:
        found = client.job(job, builds=1)
        builds = found["builds"] if found else []
        if builds and not builds[0]["building"]:
            return client.console(job, builds[0]["number"])
        threading.Event().wait(_LOOK_SECONDS)
    why = next((item.get("why") for item in client.get_queue_info() if item["task"].get("name") == job), None)
    raise Unfit(f"the agent did not answer within {_PROOF_SECONDS:g} s: {why or 'its build goes on'}.")
