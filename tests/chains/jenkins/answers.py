"""Responses of a genuine Jenkins 2.568.2, recorded on loopback. The stand-in gives these responses and no others.

Each has the status, the headers that matter and the beginning of the body. The stand-in fills in ``{…}``.
"""

from dataclasses import dataclass, field

VERSION = "2.568.2"


@dataclass(frozen=True)
class Answer:
    """A recorded response from Jenkins."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


_HTML = {"Content-Type": "text/html;charset=utf-8", "X-Jenkins": VERSION}
_JETTY = {"Content-Type": "text/html;charset=iso-8859-1"}
_JSON = {"Content-Type": "application/json;charset=utf-8", "X-Jenkins": VERSION}
_OOPS = "<h1>&nbsp;Oops!</h1><h2>A problem occurred while processing the request</h2><p>Logging ID=00000000"
_NOT_FOUND = (
    "<h1>&nbsp;Oops!</h1><h2>Not Found</h2><p>This page may not exist, or you may not have permission to see it."
)

ANSWERS = {
    # Authentication and permissions.
    "anonymous": Answer(403, _HTML | {"X-Required-Permission": "hudson.model.Hudson.Read"}, "Authentication required"),
    "wrong token": Answer(401, _JETTY, "<title>Error 401 Unauthorized</title><h2>HTTP ERROR 401 Unauthorized</h2>"),
    "no permission": Answer(403, _HTML | {"X-Required-Permission": "{permission}"}, "<h1>Access Denied</h1>"),
    # While Jenkins starts, it first rejects even valid tokens, and then answers every request with status 503.
    "starting GET": Answer(401, _JETTY, "<h2>HTTP ERROR 401 Unauthorized</h2>"),
    "starting POST": Answer(403, _JETTY, "<h2>HTTP ERROR 403 No valid crumb was included in the request</h2>"),
    "starting": Answer(503, {"Content-Type": "text/html;charset=utf-8"}, "<p>Jenkins is getting ready to work</p>"),
    # Jobs and views.
    "created": Answer(200),
    "exists": Answer(400, _HTML, "<h1>Error</h1><p>A job already exists with the name ‘{name}’"),
    "no name": Answer(400, _HTML, "<h1>Error</h1><p>Query parameter 'name' is required"),
    "bad xml": Answer(500, _HTML, _OOPS),
    "unknown root": Answer(500, _HTML, _OOPS),
    "reconfigured": Answer(200),
    "config": Answer(200, {"Content-Type": "application/xml"}),
    "deleted": Answer(302, {"Location": "/"}),
    "described": Answer(302, {"Location": "{path}"}),
    "missing": Answer(404, _HTML, _NOT_FOUND),
    # Triggers and the queue.
    "triggered": Answer(201, {"Location": "{url}queue/item/{item}/"}),
    "twin": Answer(303, {"Location": "{url}queue/item/{item}/"}),
    "nothing submitted": Answer(400, _JETTY, "<h2>HTTP ERROR 400 Nothing is submitted</h2>"),
    "disabled": Answer(409, _JETTY, "<h2>HTTP ERROR 409 {name} is not buildable</h2>"),
    "cancelled": Answer(204),
    "not in the queue": Answer(500, _HTML, _OOPS),
    # Builds.
    "stopped": Answer(302, {"Location": "{path}"}),
    "labelled": Answer(302, {"Location": "{path}"}),
    "label without description": Answer(500, _HTML, _OOPS),
    "label without json": Answer(400, _HTML, "<h1>Error</h1>"),
    "console": Answer(200, {"Content-Type": "text/plain;charset=utf-8"}),
    "artifact": Answer(200, {"Content-Type": "application/octet-stream"}),
    "json": Answer(200, _JSON),
    "page": Answer(200, _HTML, "<html></html>"),
}
"""The answers by situation, without those situations that Epochal never gets into."""
