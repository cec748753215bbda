"""Every question to a Jenkins, and every change of it, that the chain needs."""

import json
import re
from typing import Any
from urllib.parse import quote

from epochal.chains.jenkins.connection import Connection, JenkinsError
from epochal.errors import SettingsError
from epochal.settings import Environment, JenkinsSettings
from epochal.settings.environment import read_secret_setting

_XML = {"Content-Type": "text/xml; charset=utf-8"}
_BUILD_FIELDS = (
    "number,url,building,result,queueId,timestamp,duration,displayName,description,"
    "actions[_class,parameters[name,value],causes[_class,userId]]"
)


class JenkinsServer:
    """One Jenkins, and one user of it. Every method raises JenkinsError where Jenkins refuses or does not answer."""

    def __init__(self, url: str, user: str, token: str) -> None:
        self._connection = Connection(url, user, token)
        self.url = self._connection.url
        self.user = user

    @classmethod
    def open(cls, environment: Environment, settings: JenkinsSettings) -> "JenkinsServer":
        """The Jenkins of the settings; raises SettingsError for what is missing of address, user and token."""
        token = read_secret_setting(environment.jenkins_token, settings.token_file, "[jenkins] token_file")
        missing = [name for name, value in (("url", settings.url), ("user", settings.user)) if not value]
        if missing or not token:
            wanted = [f"[jenkins] {name} in server.toml" for name in missing]
            wanted += [] if token else ["EPOCHAL_JENKINS_TOKEN, or [jenkins] token_file in server.toml"]
            raise SettingsError(f"Jenkins: set {'; '.join(wanted)}.")
        return cls(settings.url, settings.user, token)

    # What Jenkins is.

    def version(self) -> str:
        """Jenkins' version, ``2.568.2``. Asked with the login: anonymous users may not be allowed to read it."""
        answer = self._connection.ask("GET", "api/json?tree=nodeName")
        found: str | None = answer.headers.get("X-Jenkins")
        if not found:
            raise JenkinsError(f"{self.url} answers, but it is no Jenkins: the header X-Jenkins is missing.")
        return found

    def is_signed_in(self) -> bool:
        """Whether Jenkins knows the user by the token."""
        return bool(self._connection.json("whoAmI/api/json").get("authenticated"))

    def has_crumbs(self) -> bool:
        """Whether Jenkins protects itself against forged requests (CSRF)."""
        return self._connection.found("crumbIssuer/api/json") is not None

    def missing_rights(self, parameterised_job: str) -> list[str]:
        """The rights that the user lacks, by requests that change nothing.

        To make a job is asked for without a name, to build one with parameters without them: both are bad requests (400)
        for who may do it, and forbidden (403) for others.
        """
        probes = [
            ("Job/Create", "POST", "createItem"),
            ("Job/Build", "POST", f"job/{_path(parameterised_job)}/build"),
            ("Job/Configure", "GET", f"job/{_path(parameterised_job)}/config.xml"),
        ]
        return [right for right, method, path in probes if self._connection.status_of(method, path) == 403]

    def plugins(self) -> dict[str, str]:
        """The active plugins and their versions."""
        plugins = self._connection.json("pluginManager/api/json?tree=plugins[shortName,version,active]")["plugins"]
        return {plugin["shortName"]: plugin["version"] for plugin in plugins if plugin.get("active")}

    def computers(self) -> list[dict[str, Any]]:
        """The nodes: ``displayName``, ``offline``, ``numExecutors``, ``assignedLabels``."""
        fields = "computer[displayName,offline,offlineCauseReason,numExecutors,assignedLabels[name]]"
        found: list[dict[str, Any]] = self._connection.json(f"computer/api/json?tree={fields}")["computer"]
        return found

    # Jobs and views.

    def job_config(self, name: str) -> str | None:
        """The job's config.xml; None if there is no such job."""
        return self._connection.found(f"job/{_path(name)}/config.xml")

    def create_job(self, name: str, xml: str) -> None:
        """Make a job."""
        self._connection.ask("POST", f"createItem?name={_path(name)}", data=xml.encode(), headers=_XML)

    def change_job(self, name: str, xml: str) -> None:
        """Give a job another config.xml."""
        self._connection.ask("POST", f"job/{_path(name)}/config.xml", data=xml.encode(), headers=_XML)

    def describe_job(self, name: str, description: str) -> None:
        """Set a job's description, and nothing else of it."""
        self._connection.ask("POST", f"job/{_path(name)}/submitDescription", data={"description": description})

    def delete_job(self, name: str) -> None:
        """Take a job away, with its builds."""
        self._connection.ask("POST", f"job/{_path(name)}/doDelete")

    def view_config(self, name: str) -> str | None:
        """The view's config.xml; None if there is no such view."""
        return self._connection.found(f"view/{_path(name)}/config.xml")

    def create_view(self, name: str, xml: str) -> None:
        """Make a view."""
        self._connection.ask("POST", f"createView?name={_path(name)}", data=xml.encode(), headers=_XML)

    def change_view(self, name: str, xml: str) -> None:
        """Give a view another config.xml."""
        self._connection.ask("POST", f"view/{_path(name)}/config.xml", data=xml.encode(), headers=_XML)

    def delete_view(self, name: str) -> None:
        """Take a view away; its jobs stay."""
        self._connection.ask("POST", f"view/{_path(name)}/doDelete")

    # Builds.

    def trigger(self, job: str, parameters: dict[str, str]) -> int | None:
        """Ask for a build; the number of its queue item, if Jenkins told it.

        Jenkins answers 201 for a new item, and 303 for one that waits already with the very same parameters.
        """
        answer = self._connection.ask("POST", f"job/{_path(job)}/buildWithParameters", data=parameters)
        first = answer.history[0] if answer.history else answer
        if first.status_code not in (201, 303):
            raise JenkinsError(f"Jenkins answered {first.status_code} to a build of {job}.", first.status_code)
        item = re.search(r"/queue/item/(\d+)/?$", first.headers.get("Location", ""))
        return int(item[1]) if item else None

    def job(self, name: str, builds: int) -> dict[str, Any] | None:
        """``url``, ``downstreamProjects`` and the newest ``builds`` of a job; None if there is no such job."""
        tree = f"url,downstreamProjects[name],builds[{_BUILD_FIELDS}]{{0,{builds}}}"
        return self._connection.found_json(f"job/{_path(name)}/api/json?tree={tree}")

    def build(self, job: str) -> None:
        """Start a job that has no parameters."""
        self._connection.ask("POST", f"job/{_path(job)}/build")

    def queue(self) -> list[dict[str, Any]]:
        """What waits: ``id``, ``task.name``, ``why``, and the parameters in ``actions``."""
        items: list[dict[str, Any]] = self._connection.json(
            "queue/api/json?tree=items[id,why,task[name],actions[parameters[name,value]]]"
        )["items"]
        return items

    def queue_item(self, number: int) -> dict[str, Any] | None:
        """A queue item, for five minutes after it has left the queue, too; None if Jenkins knows none such."""
        return self._connection.found_json(f"queue/item/{number}/api/json?tree=id,cancelled,executable[number,url]")

    def cancel_item(self, number: int) -> None:
        """Take an item out of the queue. One that has left it already (Jenkins answers 404 or 500) is no error."""
        try:
            self._connection.ask("POST", f"queue/cancelItem?id={number}")
        except JenkinsError as error:
            if error.status not in (404, 500):
                raise

    def stop(self, job: str, build: int) -> None:
        """End a running build, which then is ABORTED. One that has ended is left as it is."""
        self._connection.ask("POST", f"job/{_path(job)}/{build}/stop")

    def label_build(self, job: str, build: int, name: str, description: str) -> None:
        """Set a build's display name and description, which only its configuration form does, both at once."""
        form = json.dumps({"displayName": name, "description": description})
        self._connection.ask("POST", f"job/{_path(job)}/{build}/configSubmit", data={"json": form})

    def console(self, job: str, build: int) -> str:
        """What a build has printed so far."""
        return self._connection.text(f"job/{_path(job)}/{build}/consoleText").replace("\r\n", "\n")

    def artifact(self, job: str, build: int, path: str) -> bytes | None:
        """An archived file of a build; None if there is none such."""
        try:
            content: bytes = self._connection.ask("GET", f"job/{_path(job)}/{build}/artifact/{quote(path)}").content
        except JenkinsError as error:
            if error.status == 404:
                return None
            raise
        return content


def _path(name: str) -> str:
    return quote(name, safe="")
