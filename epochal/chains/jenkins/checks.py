"""Check whether Jenkins is ready to run the chain. A temporary job checks the agent."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Collection
from xml.sax.saxutils import escape

from epochal.chains.jenkins.client import JenkinsClient, JenkinsError
from epochal.chains.jenkins.definitions import Definition, export_lines, job_names, render
from epochal.chains.jenkins.plugins import MIN_VERSION, version_key
from epochal.chains.jenkins.provisioning import NOT_OWN, compare_definition, missing_plugins
from epochal.errors import EpochalError
from epochal.folders import Home
from epochal.jobs.installation import describe_installation
from epochal.records import PROOF_PREFIX, Log
from epochal.settings import Environment, ServerSettings

_AGENT_CHECK_SECONDS = 120.0
_POLL_SECONDS = 0.5
_AGENT_CHECK_JOB = """\
<?xml version="1.0" encoding="utf-8"?>
<project>
  <description>The command "epochal jenkins check" created this temporary job to check an agent's setup.</description>
  <quietPeriod>0</quietPeriod>
  {node}
  <builders><hudson.tasks.Shell><command>{command}</command></hudson.tasks.Shell></builders>
</project>
"""


class CheckFailed(EpochalError):
    """A check failed. The message says why."""

    exit_status = 1


def check_all(
    client: JenkinsClient, settings: ServerSettings, environment: Environment, without: Collection[str], log: Log
) -> bool:
    """Run all checks, log one line for each, and return whether all passed.

    ``without`` names the plugins that the jobs should not use. If Jenkins does not answer properly, the remaining
    checks are skipped.
    """
    definitions = render(settings, without)
    checks: dict[str, Callable[[], str]] = {
        "reachable": lambda: _check_version(client),
        "login": lambda: _check_login(client),
        "crumbs": lambda: _check_crumbs(client),
        "rights": lambda: _check_permissions(client, settings),
        "plugins": lambda: _check_plugins(client, definitions),
        "agent": lambda: _check_agent(client, settings.jenkins.label),
        "jobs": lambda: _check_jobs(client, definitions),
        "proof": lambda: _check_agent_setup(client, settings, environment),
    }
    all_passed = True
    for name, check in checks.items():
        try:
            log(f"{name + ':':<10} yes  {check()}")
        except EpochalError as error:
            all_passed = False
            log(f"{name + ':':<10} no   {error}")
            if isinstance(error, JenkinsError) and error.status is None:
                break
    return all_passed


def _check_version(client: JenkinsClient) -> str:
    version = client.version()
    if version_key(version) < version_key(MIN_VERSION):
        raise CheckFailed(f"{client.url} runs Jenkins {version}; Epochal needs {MIN_VERSION} or newer.")
    return f"{client.url} runs Jenkins {version}"


def _check_login(client: JenkinsClient) -> str:
    if not client.is_signed_in():
        raise CheckFailed(
            f"{client.url} does not recognise {client.user}: create an API token on the user's Security page."
        )
    return f"as {client.user}"


def _check_crumbs(client: JenkinsClient) -> str:
    if not client.has_crumbs():
        raise CheckFailed("Jenkins' protection against forged requests (CSRF) is off. Turn it on under Security.")
    return "forged requests are rejected"


def _check_permissions(client: JenkinsClient, settings: ServerSettings) -> str:
    missing = client.missing_permissions(job_names(settings)[-1])
    if missing:
        raise CheckFailed(
            f"{client.user} lacks permissions: {', '.join(missing)}. An admin can grant them under Security."
        )
    return "may create, configure and start jobs"


def _check_plugins(client: JenkinsClient, definitions: list[Definition]) -> str:
    missing = missing_plugins(client, definitions)
    if missing:
        names = ", ".join(f"{name}:{version}" for name, version in missing)
        raise CheckFailed(f"missing: {names}. Install what is missing, or leave it out with --without.")
    used = sorted(set().union(*(definition.plugins for definition in definitions)))
    return ", ".join(used) or "none are used"


def _check_agent(client: JenkinsClient, label: str) -> str:
    nodes = [node for node in client.nodes() if not label or label in [each["name"] for each in node["assignedLabels"]]]
    ready = [node for node in nodes if not node["offline"] and node["numExecutors"] > 0]
    if ready:
        return ", ".join(node["displayName"] for node in ready)
    if nodes:
        which = f"every node with the label {label}" if label else "every node"
        names = ", ".join(each["displayName"] for each in nodes)
        raise CheckFailed(f"{which} is offline or has no executors: {names}.")
    if label:
        raise CheckFailed(
            f"no node has the label {label}. Connect an agent with this label, or change [jenkins] label in server.toml."
        )
    raise CheckFailed("there are no nodes. Connect an agent.")


def _check_jobs(client: JenkinsClient, definitions: list[Definition]) -> str:
    states = {
        f"{each.kind} {each.name}": compare_definition(each, client.config(each.kind, each.name))
        for each in definitions
    }
    wrong = [f"{name}: {state}" for name, state in states.items() if state != "unchanged"]
    if NOT_OWN in states.values():
        raise CheckFailed(
            f"{'; '.join(wrong)}. Rename or delete those not created by Epochal, "
            "or set [jenkins] prefix in server.toml."
        )
    if wrong:
        raise CheckFailed(f"{'; '.join(wrong)}. Run epochal jenkins apply.")
    return "up to date"


def _check_agent_setup(client: JenkinsClient, settings: ServerSettings, environment: Environment) -> str:
    nonce = secrets.token_hex(16)
    challenge = Home(environment.home).challenge_file(nonce)
    challenge.parent.mkdir(parents=True, exist_ok=True)
    challenge.write_bytes(secrets.token_bytes(16))
    try:
        ours, theirs = describe_installation(environment, nonce), _run_prove_on_agent(client, settings, nonce)
    finally:
        challenge.unlink()
    hints = {
        "scripts": "the agent's job scripts (EPOCHAL_SCRIPTS) differ from the gateway's: "
        "install the gateway's version of Epochal on the agent",
        "home": (
            f"the agent's EPOCHAL_HOME is not the gateway's {environment.home}: share that folder with the agent "
            "at the same path"
        ),
        "database": "the agent's database is not the gateway's: set EPOCHAL_DATABASE to the same value on both",
    }
    wrong = [text for name, text in hints.items() if theirs.get(name) != ours[name]]
    sqlite = Home(environment.home).database_url(settings.database).startswith("sqlite")
    if sqlite and theirs.get("machine") != ours["machine"]:
        wrong.append(
            "the agent runs on another machine, so SQLite would lose writes: "
            "change the database setting in server.toml to a PostgreSQL URL"
        )
    if wrong:
        raise CheckFailed(f"{'; '.join(wrong)}.")
    return "the agent uses the gateway's scripts, database and EPOCHAL_HOME"


def _run_prove_on_agent(client: JenkinsClient, settings: ServerSettings, nonce: str) -> dict[str, str]:
    """Run ``prove.sh`` on an agent, in a temporary job, and return the digests that the script prints."""
    label = settings.jenkins.label
    node = f"<assignedNode>{escape(label)}</assignedNode><canRoam>false</canRoam>" if label else ""
    command = "\n".join([*export_lines(settings.jenkins), f'"$EPOCHAL_SCRIPTS/prove.sh" {nonce}'])
    job = f"{settings.jenkins.prefix}epochal-check-{nonce[:8]}"
    client.create_job(job, _AGENT_CHECK_JOB.format(node=node, command=escape(command)))
    try:
        text = _run_build(client, job)
    finally:
        client.delete_job(job)
    for line in text.splitlines():
        if PROOF_PREFIX in line:
            found: dict[str, str] = json.loads(line.partition(PROOF_PREFIX)[2])
            return found
    last_lines = " | ".join(text.strip().splitlines()[-3:])
    raise CheckFailed(f"the agent could not run $EPOCHAL_SCRIPTS/prove.sh: {last_lines}")


def _run_build(client: JenkinsClient, job: str) -> str:
    client.build_job(job)
    deadline = time.monotonic() + _AGENT_CHECK_SECONDS
    while time.monotonic() < deadline:
        found = client.job(job, builds=1)
        builds = found["builds"] if found else []
        if builds and not builds[0]["building"]:
            return client.console(job, builds[0]["number"])
        threading.Event().wait(_POLL_SECONDS)
    why = next((item.get("why") for item in client.get_queue_info() if item["task"].get("name") == job), None)
    raise CheckFailed(
        f"the agent did not answer within {_AGENT_CHECK_SECONDS:g} s: {why or 'its build is still running'}."
    )
