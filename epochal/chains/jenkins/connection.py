"""Asking a Jenkins over HTTP, by python-jenkins, with errors that say what to do.

How Jenkins answers was recorded from a genuine 2.568.2; tests/chains/jenkins/answers.py is the table of it.
"""

import json
import re
from typing import Any

import jenkins
import requests

from epochal.errors import EpochalError

_TIMEOUT_SECONDS = 20


class JenkinsError(EpochalError):
    """Jenkins did not do what it was asked to. ``status`` is its HTTP status; None where it gave no answer at all."""

    exit_status = 1

    def __init__(self, text: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(text)


class Connection:
    """One Jenkins, and one user's login to it. Every method raises JenkinsError where Jenkins refuses or does not answer."""

    def __init__(self, url: str, user: str, token: str) -> None:
        self.url = url if url.endswith("/") else f"{url}/"
        self.user = user
        self._jenkins = jenkins.Jenkins(self.url, user, token, timeout=_TIMEOUT_SECONDS, retries=0)

    def status_of(self, method: str, path: str) -> int:
        """The HTTP status of an answer, whatever it is."""
        try:
            return int(self.ask(method, path).status_code)
        except JenkinsError as error:
            if error.status is None:
                raise
            return error.status

    def json(self, path: str) -> dict[str, Any]:
        """The JSON object at a path below the address."""
        return self._parsed(self.text(path))

    def found_json(self, path: str) -> dict[str, Any] | None:
        """The JSON object at a path; None where Jenkins has nothing there."""
        text = self.found(path)
        return None if text is None else self._parsed(text)

    def found(self, path: str) -> str | None:
        """The text at a path; None where Jenkins has nothing there."""
        try:
            return self.text(path)
        except JenkinsError as error:
            if error.status == 404:
                return None
            raise

    def text(self, path: str) -> str:
        """The text at a path: all that Jenkins writes is UTF-8, though it does not say so of XML."""
        return str(self.ask("GET", path).content, "utf-8", "replace")

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except ValueError:
            raise JenkinsError(f"{self.url} answered with half a body, or with something that is no JSON.") from None
        if not isinstance(found, dict):
            raise JenkinsError(f"{self.url} answered with JSON that is no object.")
        return found

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request; the answer, if its status is no error. Redirects are followed, and kept in its ``history``."""
        # No crumb is asked for: with an API token Jenkins wants none.
        request = requests.Request(method, self.url + path, **more)
        try:
            answer: requests.Response = self._jenkins.jenkins_request(request, add_crumb=False)
        except (jenkins.JenkinsException, requests.RequestException) as error:
            response = _response(error)
            if response is not None and response.history and response.history[0].status_code in (201, 302, 303):
                return response  # what was asked for is done; only the page that it leads to could not be shown
            raise self._explained(response, error) from None
        return answer

    def _explained(self, response: requests.Response | None, error: Exception) -> JenkinsError:
        if response is None:
            return JenkinsError(f"{self.url} does not answer: {_first_line(error)}.")
        status = response.status_code
        permission = response.headers.get("X-Required-Permission", "")
        sentences = {
            401: f"does not accept {self.user}'s token (or is still starting): make one under the user's Security page.",
            403: f"does not allow {self.user} this: the permission {permission} is missing."
            if permission
            else f"does not allow {self.user} this, or is still starting; it wants an API token, no password.",
            404: "has nothing there: epochal jenkins apply makes the jobs.",
            405: "does not do this by that method.",
            409: "has the job disabled: enable it.",
            503: "is starting, or shutting down.",
        }
        told = sentences.get(status, f"answered {status} {response.reason}: {_panel(response.text)}")
        return JenkinsError(f"{self.url} {told}", status)


def _response(error: BaseException | None) -> requests.Response | None:
    """Jenkins' answer behind an error of python-jenkins, which keeps it only in the chain of exceptions."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, requests.Response):
            return response
        error = error.__cause__ or error.__context__
    return None


def _first_line(error: Exception) -> str:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    text = str(reason or error).partition("\n")[0]
    return re.sub(r"^<.*?>:\s*|^HTTP\w*\(.*?\):\s*", "", text)[:200].rstrip(".")


def _panel(html: str) -> str:
    """What a page of Jenkins' says, without its mark-up."""
    text = re.sub(r"<(script|style|head)\b.*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL | re.IGNORECASE)
    return " ".join(text.split())[:200]
