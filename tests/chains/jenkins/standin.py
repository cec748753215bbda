"""A stand-in for Jenkins that gives recorded answers and really runs the jobs' shell steps.

It imitates the REST API (tests/chains/jenkins/answers.py), the way Jenkins stores a job's XML (without the elements of
plugins that it does not have), the queue, executors, freestyle builds with parameters, git SCM, shell steps with
unstableReturn, archiving, and the parameterized-trigger plugin. It cannot show that a real Jenkins accepts the jobs;
``make test-jenkins`` does that.
"""

import base64
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree.ElementTree import Element, ParseError, tostring

from epochal.chains.jenkins.config_xml import parse_config
from tests.chains.jenkins.answers import ANSWERS, Answer

USER, TOKEN = "epochal", "11a0c0ffee"

_PLUGINS_BY_PREFIX = {
    "hudson.plugins.git.": "git",
    "hudson.plugins.parameterizedtrigger.": "parameterized-trigger",
    "hudson.plugins.timestamper.": "timestamper",
    "hudson.plugins.build__timeout.": "build-timeout",
    "com.cloudbees.jenkins.": "github",
}
_TRIGGER_CONFIG = (
    "hudson.plugins.parameterizedtrigger.BuildTrigger/configs/hudson.plugins.parameterizedtrigger.BuildTriggerConfig"
)


@dataclass
class Build:
    """A build, as Jenkins stores it."""

    job: str
    number: int
    item: int
    parameters: dict[str, str]
    folder: Path
    started: float = field(default_factory=time.time)
    ended: float = 0.0
    result: str | None = None
    building: bool = True
    stopped_by: str | None = None
    name: str = ""
    description: str | None = None
    console: str = f"Started by user {USER}\n"
    process: "subprocess.Popen[str] | None" = None


@dataclass
class Item:
    """A queue item. ``build`` is set once it has left the queue for an executor."""

    number: int
    job: str
    parameters: dict[str, str]
    cancelled: bool = False
    build: Build | None = None


class StandIn:
    """A stand-in for one Jenkins server.

    ``plugins`` maps the installed plugins to their versions. ``environment`` has variables that its agent adds to those
    of each build.
    """

    def __init__(self, folder: Path, plugins: dict[str, str], environment: dict[str, str], executors: int = 2) -> None:
        self.folder = folder
        self.plugins = plugins
        self.environment = environment
        self.jobs: dict[str, str] = {}
        self.views: dict[str, str] = {}
        self.builds: dict[str, list[Build]] = {}
        self.next_numbers: dict[str, int] = {}
        self.queue: list[Item] = []
        self.known_items: dict[int, Item] = {}
        self.item_numbers = itertools.count(1)
        self.executors = executors
        self.forbidden: set[str] = set()
        self.agent_online = True
        self.knows_its_url = True
        self.next_answers: list[Callable[[BaseHTTPRequestHandler], None] | Answer] = []
        self.requests: list[tuple[str, str]] = []
        self.changed = threading.Condition()
        self.server: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The address of this Jenkins."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> "StandIn":
        """Start answering requests. After a restart, the port is the same as before."""
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), _make_handler(self))
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop answering requests. Builds keep running."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def kill(self) -> None:
        """Stop like a real Jenkins after SIGKILL: running builds and queued items are lost, their numbers skipped."""
        self.stop()
        with self.changed:
            for job, builds in self.builds.items():
                for build in builds:
                    if build.building:
                        _end_process(build, signal.SIGKILL)
                self.builds[job] = [build for build in builds if not build.building]
            self.queue.clear()
            self.known_items.clear()

    def shut_down(self) -> None:
        """Stop like a real Jenkins after SIGTERM: running builds end as ABORTED, not by a user; the queue is kept."""
        self.stop()
        for builds in self.builds.values():
            for build in builds:
                if build.building:
                    build.result = "ABORTED"
                    _end_process(build, signal.SIGTERM)
        self.wait(lambda: not any(build.building for builds in self.builds.values() for build in builds))

    def wait(self, condition: Callable[[], Any], seconds: float = 120) -> None:
        """Wait until ``condition`` is true. It is checked whenever this Jenkins changes."""
        with self.changed:
            assert self.changed.wait_for(condition, seconds), "the stand-in waited in vain"

    def newest(self, job: str) -> Build:
        """Return the newest build of a job."""
        return self.builds[job][-1]

    def notify(self) -> None:
        """Wake up the threads that are waiting for a change."""
        with self.changed:
            self.changed.notify_all()

    # Jobs.

    def to_stored_xml(self, xml: str) -> str:
        """Return posted XML as Jenkins stores it: as XML 1.1, with plugin versions, without absent plugins."""
        root = parse_config(xml)
        self._drop_absent_plugins(root)
        return "<?xml version='1.1' encoding='UTF-8'?>\n" + tostring(root, encoding="unicode")

    def _drop_absent_plugins(self, parent: Element) -> None:
        for child in list(parent):
            plugin = _find_plugin(child)
            if plugin and plugin not in self.plugins:
                if "class" in child.attrib:  # The element holds one choice, here the SCM, and gets its default.
                    child.attrib["class"] = "hudson.scm.NullSCM"
                    child[:] = []
                else:
                    parent.remove(child)
                continue
            if plugin:
                child.attrib["plugin"] = f"{plugin}@{self.plugins[plugin]}"
            self._drop_absent_plugins(child)

    # The queue and builds.

    def enqueue(self, job: str, parameters: dict[str, str]) -> tuple[str, Item]:
        """Queue an item unless one with the same parameters is waiting; return which was the case, and the item."""
        defaults = {
            each.findtext("name", ""): each.findtext("defaultValue") or ""
            for each in parse_config(self.jobs[job]).iter("hudson.model.StringParameterDefinition")
        }
        known = {name: value for name, value in parameters.items() if name in defaults}
        with self.changed:
            for item in self.queue:
                if item.job == job and item.parameters == defaults | known:
                    return "twin", item
            item = Item(next(self.item_numbers), job, defaults | known)
            self.queue.append(item)
            self.known_items[item.number] = item
        self.schedule()
        return "triggered", item

    def schedule(self) -> None:
        """Start a build for each waiting item while executors are free."""
        with self.changed:
            while self.queue and self.agent_online and self._count_running_builds() < self.executors:
                item = self.queue.pop(0)
                number = self.next_numbers.get(item.job, 1)
                self.next_numbers[item.job] = number + 1
                folder = self.folder / "builds" / item.job / str(number)
                item.build = Build(item.job, number, item.number, item.parameters, folder, name=f"#{number}")
                self.builds.setdefault(item.job, []).append(item.build)
                threading.Thread(target=self._run_build, args=(item.build,), daemon=True).start()
            self.changed.notify_all()

    def _count_running_builds(self) -> int:
        return sum(build.building for builds in self.builds.values() for build in builds)

    def _run_build(self, build: Build) -> None:
        build.folder.mkdir(parents=True)
        root = parse_config(self.jobs[build.job])
        workspace = self._choose_workspace(build)
        try:
            result = self._run_steps(build, root, workspace)
        except Exception as error:
            build.console += f"FATAL: {error}\n"
            result = "FAILURE"
        if build not in self.builds.get(build.job, []):
            return  # The build was killed along with Jenkins, which stores nothing about it.
        build.result = "ABORTED" if build.stopped_by else build.result or result
        self._archive(build, root, workspace)
        build.console += f"Finished: {build.result}\n"
        self._trigger_downstream(build, root, workspace)
        with self.changed:
            build.ended = time.time()
            build.building = False
        self.schedule()

    def _choose_workspace(self, build: Build) -> Path:
        """Return a workspace that no other build uses. For a concurrent build, its name contains an @."""
        with self.changed:
            for number in itertools.count(1):
                folder = self.folder / "workspace" / (build.job if number == 1 else f"{build.job}@{number}")
                others = [each for each in self.builds[build.job] if each.building and each is not build]
                if all(each.parameters.get("WORKSPACE") != str(folder) for each in others):
                    folder.mkdir(parents=True, exist_ok=True)
                    build.parameters["WORKSPACE"] = str(folder)
                    return folder
        raise AssertionError

    def _run_steps(self, build: Build, root: Element, workspace: Path) -> str:
        environment = self._build_environment(build, workspace)
        scm = root.find("scm")
        if scm is not None and scm.get("class") == "hudson.plugins.git.GitSCM":
            environment |= self._check_out(build, scm, workspace)
        result = "SUCCESS"
        for step in root.iter("hudson.tasks.Shell"):
            status = self._run_shell(build, step.findtext("command", ""), workspace, environment)
            if status == int(step.findtext("unstableReturn") or -1):
                result = "UNSTABLE"
            elif status != 0:
                return "FAILURE"
        return result

    def _build_environment(self, build: Build, workspace: Path) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("EPOCHAL_", "GIT_"))}
        return inherited | {
            "CI": "true",
            "JOB_NAME": build.job,
            "BUILD_NUMBER": str(build.number),
            "BUILD_ID": str(build.number),
            "BUILD_TAG": f"jenkins-{build.job}-{build.number}",
            **({"BUILD_URL": f"{self.url}job/{build.job}/{build.number}/"} if self.knows_its_url else {}),
            "WORKSPACE": str(workspace),
            **self.environment,
            **build.parameters,
        }

    def _check_out(self, build: Build, scm: Element, workspace: Path) -> dict[str, str]:
        url = next(scm.iter("url")).text or ""
        name = re.sub(
            r"\$(\w+)",
            lambda found: build.parameters[found[1]],
            next(scm.iter("hudson.plugins.git.BranchSpec"))[0].text or "",
        )
        if not (workspace / ".git").exists():
            self._git(build, workspace, "init", "--quiet")
        self._git(build, workspace, "fetch", "--force", "--quiet", "--", url, "+refs/heads/*:refs/remotes/origin/*")
        revision = name.replace("refs/heads/", "origin/")
        sha = self._git(build, workspace, "rev-parse", f"{revision}^{{commit}}").strip()
        self._git(build, workspace, "checkout", "--quiet", "-f", sha)
        return {"GIT_COMMIT": sha, "GIT_URL": url, "GIT_BRANCH": "detached" if sha == name else revision}

    def _git(self, build: Build, workspace: Path, *arguments: str) -> str:
        build.console += f" > git {' '.join(arguments)}\n"
        completed = subprocess.run(
            ["git", "-C", str(workspace), *arguments], capture_output=True, text=True, check=False
        )
        if completed.returncode:
            raise RuntimeError(completed.stderr)
        return completed.stdout

    def _run_shell(self, build: Build, command: str, workspace: Path, environment: dict[str, str]) -> int:
        script = build.folder / "step.sh"
        script.write_text(command, encoding="utf-8")
        process = subprocess.Popen(
            ["/bin/sh", "-xe", str(script)],
            cwd=workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        with self.changed:
            build.process = process
        if build.stopped_by:
            _end_process(build, signal.SIGTERM)
        assert process.stdout
        for line in process.stdout:
            with self.changed:
                build.console += line
                self.changed.notify_all()
        return process.wait()

    def _archive(self, build: Build, root: Element, workspace: Path) -> None:
        for archiver in root.iter("hudson.tasks.ArtifactArchiver"):
            pattern = (archiver.findtext("artifacts") or "").removesuffix("/**")
            if (workspace / pattern).is_dir():
                shutil.copytree(workspace / pattern, build.folder / "archive" / pattern)

    def _trigger_downstream(self, build: Build, root: Element, workspace: Path) -> None:
        for config in root.findall(f"publishers/{_TRIGGER_CONFIG}"):
            if config.findtext("condition") != build.result:
                continue
            files = [workspace / (name.text or "") for name in config.iter("propertiesFile")]
            if not all(path.is_file() for path in files) and config.find(".//failTriggerOnMissing") is not None:
                continue  # According to the plugin's help, nothing is triggered and the build's result does not change.
            parameters: dict[str, str] = {}
            for lines in config.iter("properties"):
                text = re.sub(r"\$(\w+)", lambda found: build.parameters.get(found[1], ""), lines.text or "")
                parameters |= dict(line.split("=", 1) for line in text.splitlines())
            for path in files:
                parameters |= dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())
            for job in (config.findtext("projects") or "").split(","):
                build.console += f"Triggering a new build of {job.strip()}\n"
                self.enqueue(job.strip(), parameters)

    # Answers.

    def job_json(self, name: str) -> dict[str, Any]:
        """Return a job as ``api/json`` shows it."""
        targets = [
            config.findtext("projects") or ""
            for config in parse_config(self.jobs[name]).findall(f"publishers/{_TRIGGER_CONFIG}")
        ]
        return {
            "_class": "hudson.model.FreeStyleProject",
            "name": name,
            "url": f"{self.url}job/{name}/",
            "downstreamProjects": [{"name": target} for target in targets if target in self.jobs],
            "builds": [self._build_json(build) for build in reversed(self.builds.get(name, []))],
        }

    def _build_json(self, build: Build) -> dict[str, Any]:
        shown = {name: value for name, value in build.parameters.items() if name != "WORKSPACE"}
        actions: list[dict[str, Any]] = [_parameters_action(shown), {}]
        if build.stopped_by:
            cause = {"_class": "jenkins.model.CauseOfInterruption$UserInterruption"}
            actions.append({"_class": "jenkins.model.InterruptedBuildAction", "causes": [cause]})
        return {
            "_class": "hudson.model.FreeStyleBuild",
            "number": build.number,
            "url": f"{self.url}job/{build.job}/{build.number}/",
            "building": build.building,
            "result": build.result,
            "queueId": build.item,
            "timestamp": int(build.started * 1000),
            "duration": int((build.ended - build.started) * 1000) if build.ended else 0,
            "displayName": build.name,
            "description": build.description,
            "actions": actions,
        }

    def item_json(self, item: Item) -> dict[str, Any]:
        """Return a queue item as ``api/json`` shows it."""
        executable = item.build and {
            "number": item.build.number,
            "url": f"{self.url}job/{item.job}/{item.build.number}/",
        }
        return {
            "id": item.number,
            "actions": [_parameters_action(item.parameters)],
            "task": {"name": item.job},
            "why": "Waiting for next available executor" if item in self.queue else None,
            "cancelled": item.cancelled,
            "executable": executable,
        }


def _parameters_action(parameters: dict[str, str]) -> dict[str, Any]:
    listed = [{"name": name, "value": value} for name, value in parameters.items()]
    return {"_class": "hudson.model.ParametersAction", "parameters": listed}


def _find_plugin(element: Element) -> str | None:
    names = (element.tag, element.attrib.get("class", ""))
    return next(
        (plugin for begin, plugin in _PLUGINS_BY_PREFIX.items() if any(name.startswith(begin) for name in names)), None
    )


def _end_process(build: Build, number: signal.Signals) -> None:
    """End a build's processes as Jenkins does: children before their parent, waiting a few seconds for each."""
    if build.process and build.process.poll() is None:
        pid = build.process.pid
        if number == signal.SIGKILL:
            os.killpg(pid, number)
        else:
            threading.Thread(target=_end_tree, args=(pid,), daemon=True).start()


def _end_tree(pid: int) -> None:
    for child in _list_children(pid):
        _end_tree(child)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    for pause in (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0):
        if not _is_alive(pid):
            return
        threading.Event().wait(pause)


def _list_children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _make_handler(standin: StandIn) -> type[BaseHTTPRequestHandler]:  # noqa: C901 (a class in a closure)
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: Any) -> None:
            """Log nothing: tests look at ``requests``."""

        def do_GET(self) -> None:
            self._respond("GET")

        def do_POST(self) -> None:
            self._respond("POST")

        def _respond(self, method: str) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            standin.requests.append((method, self.path))
            if standin.next_answers:
                prepared = standin.next_answers.pop(0)
                if not isinstance(prepared, Answer):
                    prepared(self)
                    return
                self._send(prepared, prepared.body.encode())
                return
            login = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
            authorization = self.headers.get("Authorization")
            if authorization != f"Basic {login}":
                self._answer("wrong token" if authorization else "anonymous")
                return
            Routes(standin, self._answer).route(method, self.path, body)

        def _answer(self, situation: str, body: bytes | str | None = None, **values: Any) -> None:
            answer = ANSWERS[situation]
            text = answer.body.format(**values) if body is None else body
            headers = {
                name: value.format(url=standin.url, path="/", **values) for name, value in answer.headers.items()
            }
            self._send(Answer(answer.status, headers), text if isinstance(text, bytes) else text.encode())

        def _send(self, answer: Answer, body: bytes) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


class Routes:
    """The answer to one request, chosen by its method and path."""

    def __init__(self, standin: StandIn, answer: Callable[..., None]) -> None:
        self._standin = standin
        self._answer = answer

    def route(self, method: str, path: str, body: bytes) -> None:  # noqa: C901 (one branch per page)
        """Answer the request."""
        split = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        parts = [unquote(part) for part in split.path.split("/") if part]
        match method, parts:
            case "GET", []:
                self._answer("page")
            case "GET", ["api", "json"]:
                self._answer_json({"_class": "hudson.model.Hudson", "nodeName": ""})
            case "GET", ["whoAmI", "api", "json"]:
                self._answer_json({"authenticated": True, "anonymous": False, "name": USER})
            case "GET", ["crumbIssuer", "api", "json"]:
                self._answer_json({"crumb": "0", "crumbRequestField": "Jenkins-Crumb"})
            case "GET", ["pluginManager", "api", "json"]:
                self._answer_json({"plugins": self._list_plugins(int(query.get("depth", "0")))})
            case "GET", ["computer", "api", "json"]:
                self._answer_json({"computer": self._list_computers()})
            case "POST", ["createItem"]:
                self._create(self._standin.jobs, query.get("name"), body, "hudson.model.Item.Create")
            case "POST", ["createView"]:
                self._create(self._standin.views, query.get("name"), body, "hudson.model.View.Create")
            case _, ["view", name, *rest]:
                self._route_config(method, self._standin.views, name, rest, body)
            case _, ["queue", *rest]:
                self._route_queue(method, rest, query)
            case _, ["job", name, *rest] if name in self._standin.jobs:
                self._route_job(method, name, rest, query, body)
            case _:
                self._answer("missing")

    def _answer_json(self, value: Any) -> None:
        self._answer("json", json.dumps(value))

    def _list_plugins(self, depth: int) -> list[dict[str, Any]]:
        """Return the plugins. At depth 0, Jenkins shows no details of them."""
        return [
            {"shortName": name, "longName": f"{name} plugin", "version": version, "active": True} if depth else {}
            for name, version in self._standin.plugins.items()
        ]

    def _list_computers(self) -> list[dict[str, Any]]:
        agent = {
            "displayName": "agent-1",
            "offline": not self._standin.agent_online,
            "numExecutors": self._standin.executors,
        }
        labels = {"assignedLabels": [{"name": "docker"}, {"name": "agent-1"}]}
        built_in = {
            "displayName": "Built-In Node",
            "offline": False,
            "numExecutors": 0,
            "assignedLabels": [{"name": "built-in"}],
        }
        return [built_in, agent | labels]

    def _create(self, things: dict[str, str], name: str | None, body: bytes, permission: str) -> None:
        if permission in self._standin.forbidden:
            self._answer("no permission", permission=permission)
        elif name is None:
            self._answer("no name")
        elif name in things:
            self._answer("exists", name=name)
        else:
            self._store_xml(things, name, body, "created")

    def _store_xml(self, things: dict[str, str], name: str, body: bytes, situation: str) -> None:
        try:
            root = parse_config(body.decode())
        except ParseError:
            self._answer("bad xml")
            return
        if root.tag not in ("project", "hudson.model.ListView"):
            self._answer("unknown root")
            return
        things[name] = self._standin.to_stored_xml(body.decode())
        self._answer(situation)

    def _route_config(self, method: str, things: dict[str, str], name: str, rest: list[str], body: bytes) -> None:
        if name not in things:
            self._answer("missing")
        elif rest == ["api", "json"]:  # Only views get here: a job has its own answer.
            self._answer_json({"_class": "hudson.model.ListView", "name": name})
        elif rest == ["config.xml"] and method == "GET":
            self._answer("config", things[name])
        elif rest == ["config.xml"]:
            self._store_xml(things, name, body, "reconfigured")
        elif rest == ["doDelete"]:
            del things[name]
            self._answer("deleted")
        else:
            self._answer("page")

    def _route_queue(self, method: str, rest: list[str], query: dict[str, str]) -> None:
        standin = self._standin
        match rest:
            case ["api", "json"]:
                self._answer_json({"items": [standin.item_json(item) for item in standin.queue]})
            case ["item", number, "api", "json"] if int(number) in standin.known_items:
                self._answer_json(standin.item_json(standin.known_items[int(number)]))
            case ["cancelItem"] if int(query["id"]) in standin.known_items:
                item = standin.known_items[int(query["id"])]
                if item not in standin.queue:
                    self._answer("not in the queue")
                    return
                item.cancelled = True
                standin.queue.remove(item)
                self._answer("cancelled")
            case _:
                self._answer("missing")

    def _route_job(self, method: str, name: str, rest: list[str], query: dict[str, str], body: bytes) -> None:
        standin = self._standin
        form = {key: values[0] for key, values in parse_qs(body.decode("latin-1"), keep_blank_values=True).items()}
        form = {key: value.encode("latin-1").decode() for key, value in form.items()}
        parameterised = "hudson.model.ParametersDefinitionProperty" in standin.jobs[name]
        match rest:
            case ["api", "json"]:
                self._answer_json(standin.job_json(name))
            case ["build" | "buildWithParameters"] if "hudson.model.Item.Build" in standin.forbidden:
                self._answer("no permission", permission="hudson.model.Item.Build")
            case ["build" | "buildWithParameters"] if "<disabled>true" in standin.jobs[name]:
                self._answer("disabled", name=name)
            case ["build"] if parameterised:
                self._answer("nothing submitted")
            case ["build" | "buildWithParameters"]:
                situation, item = standin.enqueue(name, query | form)
                self._answer(situation, item=item.number)
            case ["submitDescription"] if method == "POST":
                root = parse_config(standin.jobs[name])
                description = root.find("description")
                assert description is not None
                description.text = form["description"]
                standin.jobs[name] = standin.to_stored_xml(tostring(root, encoding="unicode"))
                self._answer("described")
            case [number, *below] if number.isdecimal():
                builds = [build for build in standin.builds.get(name, []) if build.number == int(number)]
                self._route_build(builds[0], below, form) if builds else self._answer("missing")
            case _:
                if rest == ["doDelete"]:
                    standin.builds.pop(name, None)
                self._route_config(method, standin.jobs, name, rest, body)

    def _route_build(self, build: Build, rest: list[str], form: dict[str, str]) -> None:
        match rest:
            case ["stop"]:
                if build.building:
                    build.stopped_by = USER
                    _end_process(build, signal.SIGTERM)
                self._answer("stopped")
            case ["configSubmit"]:
                self._label_build(build, form)
            case ["consoleText"]:
                self._answer("console", build.console)
            case ["artifact", *path] if (build.folder / "archive" / "/".join(path)).is_file():
                self._answer("artifact", (build.folder / "archive" / "/".join(path)).read_bytes())
            case [] | ["api", "json"]:
                self._answer("page")
            case _:
                self._answer("missing")

    def _label_build(self, build: Build, form: dict[str, str]) -> None:
        if "json" not in form:
            self._answer("label without json")
            return
        labels = json.loads(form["json"])
        build.name = labels["displayName"] or f"#{build.number}"
        if "description" not in labels:
            self._answer("label without description")
            return
        build.description = labels["description"]
        self._standin.notify()
        self._answer("labelled")
