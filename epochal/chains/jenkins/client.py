"""A client for a Jenkins server, built on python-jenkins, with errors that say what to do.

Methods of python-jenkins are used wherever they fit. Otherwise, a comment says why they do not fit, and the request is
sent with python-jenkins' general request method. tests/chains/jenkins/answers.py contains recorded responses from a
real Jenkins 2.568.2.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import jenkins
import requests

from epochal.errors import EpochalError, SettingsError
from epochal.settings import Environment, JenkinsSettings
from epochal.settings.environment import read_secret_setting

_T = TypeVar("_T")
_TIMEOUT_SECONDS = 20
_BUILD_FIELDS = (
    "number,url,building,result,queueId,timestamp,duration,displayName,description,"
    "actions[_class,parameters[name,value],causes[_class,userId]]"
)


class JenkinsError(EpochalError):
    """A request to Jenkins failed, or Jenkins cannot be used. ``status`` is the HTTP status of the response, or None."""

    exit_status = 1

    def __init__(self, text: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(text)


def _forward(name: str) -> Callable[..., Any]:
    """Return a client method that calls python-jenkins' method ``name`` and turns its errors into JenkinsError."""

    def call(client: "JenkinsClient", *arguments: Any) -> Any:
        return client._call(getattr(client._jenkins, name), *arguments)

    return call


class JenkinsClient:
    """A client that acts as one Jenkins user. Methods raise JenkinsError if Jenkins refuses a request or does not answer."""

    def __init__(self, url: str, user: str, token: str) -> None:
        self.url = url if url.endswith("/") else f"{url}/"
        self.user = user
        self._jenkins = jenkins.Jenkins(self.url, user, token, timeout=_TIMEOUT_SECONDS, retries=0)
        self._jenkins.crumb = False  # Do not fetch a crumb: Jenkins needs none with an API token.

    @classmethod
    def open(cls, environment: Environment, settings: JenkinsSettings) -> "JenkinsClient":
        """Return a client with the configured URL, user and token. Raises SettingsError if one of them is missing."""
        token = read_secret_setting(environment.jenkins_token, settings.token_file, "[jenkins] token_file")
        missing = [name for name, value in (("url", settings.url), ("user", settings.user)) if not value]
        if missing or not token:
            missing_settings = [f"[jenkins] {name} in server.toml" for name in missing]
            missing_settings += [] if token else ["EPOCHAL_JENKINS_TOKEN, or [jenkins] token_file in server.toml"]
            raise SettingsError(f"Jenkins: set {'; '.join(missing_settings)}.")
        return cls(settings.url, settings.user, token)

    # Jenkins itself.

    def version(self) -> str:
        """Return the version of Jenkins, such as ``2.568.2``."""
        # get_version does not log in, so it fails if anonymous users lack read access.
        response = self._request("GET", "api/json?tree=nodeName")
        if "X-Jenkins" not in response.headers:
            raise JenkinsError(f"{self.url} is not Jenkins: its response has no X-Jenkins header.")
        return response.headers["X-Jenkins"]

    def is_signed_in(self) -> bool:
        """Return whether Jenkins accepts the user's token."""
        # get_whoami requests /me, which Jenkins denies to anonymous users instead of reporting that they are anonymous.
        return bool(self._get_json("whoAmI/api/json").get("authenticated"))

    def has_crumbs(self) -> bool:
        """Return whether Jenkins protects itself against forged requests (CSRF)."""
        return _none_on_status(404, self._get_text, "crumbIssuer/api/json") is not None

    def missing_permissions(self, parameterised_job: str) -> list[str]:
        """Return the names of the permissions that the user lacks, without changing anything in Jenkins.

        A request to create a job without a name, or to build ``parameterised_job`` without parameters, returns 400 (bad
        request) if the user has the permission, and 403 (forbidden) if not. python-jenkins has no method for either.
        """
        probes = [
            ("Job/Create", "POST", "createItem"),
            ("Job/Build", "POST", f"job/{_path(parameterised_job)}/build"),
            ("Job/Configure", "GET", f"job/{_path(parameterised_job)}/config.xml"),
        ]
        missing = []
        for right, method, path in probes:
            try:
                self._request(method, path)
            except JenkinsError as error:
                if error.status is None:
                    raise
                if error.status == 403:
                    missing.append(right)
        return missing

    def plugins(self) -> dict[str, str]:
        """Return the version of each active plugin, by plugin name."""
        plugins = self._call(self._jenkins.get_plugins, 1).values()  # A depth of 1 leaves out the dependencies.
        return {plugin["shortName"]: str(plugin["version"]) for plugin in plugins if plugin.get("active")}

    def nodes(self) -> list[dict[str, Any]]:
        """Return the ``displayName``, ``offline``, ``numExecutors`` and ``assignedLabels`` of each node."""
        # get_nodes leaves out the number of executors.
        tree = "computer[displayName,offline,numExecutors,assignedLabels[name]]"
        nodes: list[dict[str, Any]] = self._get_json(f"computer/api/json?tree={tree}")["computer"]
        return nodes

    # Jobs and views.

    create_job = _forward("create_job")
    reconfig_job = _forward("reconfig_job")
    delete_job = _forward("delete_job")  # Deletes its builds, too.
    create_view = _forward("create_view")
    reconfig_view = _forward("reconfig_view")
    delete_view = _forward("delete_view")  # Its jobs are kept.

    def config(self, kind: Literal["job", "view"], name: str) -> str | None:
        """Return the config.xml of a job or a view, or None if there is no job or view with this name."""
        # get_job_config and get_view_config guess the charset, because Jenkins does not declare that its XML is UTF-8.
        return _none_on_status(404, self._get_text, f"{kind}/{_path(name)}/config.xml")

    def describe_job(self, name: str, description: str) -> None:
        """Set the description of a job, and leave the rest of its configuration unchanged."""
        # python-jenkins has no method for this.
        self._request("POST", f"job/{_path(name)}/submitDescription", data={"description": description})

    # Builds and the queue.

    build_job = _forward("build_job")  # Only for jobs without parameters.
    stop_build = _forward("stop_build")  # A running build ends as ABORTED; an ended one keeps its result.
    get_queue_info = _forward("get_queue_info")  # Returns the waiting items.

    def job(self, name: str, builds: int) -> dict[str, Any] | None:
        """Return the ``url``, ``downstreamProjects`` and ``builds`` of a job, or None if there is no such job.

        ``builds``: the maximum number of builds to return, newest first.
        """
        # get_job_info cannot select fields, so every build would need another request.
        tree = f"url,downstreamProjects[name],builds[{_BUILD_FIELDS}]{{0,{builds}}}"
        return _none_on_status(404, self._get_json, f"job/{_path(name)}/api/json?tree={tree}")

    def trigger(self, job: str, parameters: dict[str, str]) -> int | None:
        """Request a build with parameters. Returns the number of its queue item, or None if Jenkins does not send one.

        Jenkins responds with 201 for a new item, and with 303 if an item with exactly the same parameters is already
        waiting.
        """
        # After a 303, build_job finds no number, because it reads Location from the last answer, not from the redirect.
        response = self._request("POST", f"job/{_path(job)}/buildWithParameters", data=parameters)
        first = [*response.history, response][0]
        if first.status_code not in (201, 303):
            raise JenkinsError(f"Jenkins returned {first.status_code} for a request to build {job}.", first.status_code)
        item = re.search(r"/queue/item/(\d+)/?$", first.headers.get("Location", ""))
        return int(item[1]) if item else None

    def queue_item(self, number: int) -> dict[str, Any] | None:
        """Return a queue item, or None if Jenkins does not know it.

        Jenkins forgets an item 5 minutes after the item leaves the queue.
        """
        item: dict[str, Any] | None = _none_on_status(404, self._call, self._jenkins.get_queue_item, number)
        return item

    def cancel_item(self, number: int) -> None:
        """Remove an item from the queue, unless it has already left the queue."""
        # Jenkins answers 500 if the item has left the queue, or 404, which cancel_queue ignores, if it has forgotten
        # the item.
        _none_on_status(500, self._call, self._jenkins.cancel_queue, number)

    def label_build(self, job: str, build: int, name: str, description: str) -> None:
        """Set a build's display name and description."""
        # Only the build's configuration form can set them; python-jenkins has no method for it.
        form = json.dumps({"displayName": name, "description": description})
        self._request("POST", f"job/{_path(job)}/{build}/configSubmit", data={"json": form})

    def console(self, job: str, build: int) -> str:
        """Return what a build has printed so far. Raises JenkinsError if it has printed nothing yet."""
        text: str = self._call(self._jenkins.get_build_console_output, job, build)
        return text.replace("\r\n", "\n")

    # Requests and errors.

    def _get_json(self, path: str) -> dict[str, Any]:
        found = self._call(json.loads, self._get_text(path))
        if not isinstance(found, dict):
            raise JenkinsError(f"{self.url} answered with JSON that is not an object.")
        return found

    def _get_text(self, path: str) -> str:
        return str(self._request("GET", path).content, "utf-8", "replace")

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request and return the final response, with any redirects in its ``history``."""
        request = requests.Request(method, self.url + path, **options)
        response: requests.Response = self._call(self._jenkins.jenkins_request, request)
        return response

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call ``method`` and turn its errors into JenkinsError."""
        try:
            return method(*arguments)
        except (jenkins.JenkinsException, requests.RequestException, ValueError) as error:
            causes: list[BaseException] = []  # python-jenkins keeps Jenkins' answer only in the causes of its error.
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, EpochalError):  # EpochalErrors were handled earlier.
                causes.append(cause)
                cause = cause.__cause__ or cause.__context__
            request_error = next((each for each in causes if isinstance(each, requests.RequestException)), None)
            if request_error is None and any(isinstance(each, ValueError) for each in causes):
                text = f"{self.url} sent an incomplete response, or one that is not JSON."
            elif request_error is None:
                text = f"{self.url}: {error}."
            elif request_error.response is None:
                reason = getattr(error.args[0], "reason", None) if error.args else None
                # Keep the first line only, without the Python objects that urllib3 puts in front of it.
                line = str(reason or error).partition("\n")[0]
                line = re.sub(r"^<.*?>:\s*|^HTTP\w*\(.*?\):\s*", "", line)[:200].rstrip(".")
                text = f"{self.url} does not answer: {line}."
            else:
                first = [*request_error.response.history, request_error.response][0]
                if first.request.method == "POST" and first.status_code in (302, 303):
                    return request_error.response  # The POST succeeded; only the page that Jenkins redirects to failed.
                raise self._refusal_error(request_error.response) from None
            raise JenkinsError(text) from None

    def _refusal_error(self, response: requests.Response) -> JenkinsError:
        status = response.status_code
        permission = response.headers.get("X-Required-Permission", "")
        sentences = {
            401: f"does not accept {self.user}'s token (or is still starting). Create a new one on the user's Security page.",
            403: f"refused a request by {self.user}: the permission {permission} is missing."
            if permission
            else f"refused a request by {self.user} (or is still starting). Use an API token, not a password.",
            404: "does not have the requested job or page. Create the jobs with epochal jenkins apply.",
            405: "does not accept the request's HTTP method.",
            409: "says that the job is disabled. Enable it.",
            503: "is starting or shutting down.",
        }
        page = re.sub(r"<(script|style|head)\b.*?</\1>|<[^>]*>", " ", response.text, flags=re.DOTALL | re.IGNORECASE)
        answered = f"responded with {status} {response.reason}: {' '.join(page.split())[:200]}"
        return JenkinsError(f"{self.url} {sentences.get(status, answered)}", status)


def _none_on_status(status: int, send: Callable[..., _T], *arguments: Any) -> _T | None:
    """Return what ``send`` returns, or None if Jenkins answers with the HTTP status ``status``."""
    try:
        return send(*arguments)
    except JenkinsError as error:
        if error.status != status:
            raise
        return None


def _path(name: str) -> str:
    return quote(name, safe="")
