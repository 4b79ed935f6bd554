"""`python -m rehearsal.comment FILE`: post the report of a pull request's rehearsal on that pull request.

It runs in a workflow with a token that may write, on a report that the pull request's own code made: so the file is
text and nothing else, and which pull request it belongs to is taken from GitHub's event, never from the report.
https://securitylab.github.com/resources/github-actions-preventing-pwn-requests/
Standard library only: it needs no environment of packages.
"""

import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARK = "<!-- muster: report of the rehearsal -->"
"""First line of the comment, by which the next run finds it."""
AUTHOR = "github-actions[bot]"
"""Who comments with a workflow's own token."""
NOTE = "_Made by this pull request's own code: it is advice, the review is yours._"
LIMIT = 65_536
"""Most characters of a comment (https://github.com/orgs/community/discussions/27190)."""
CUT = "\n\n… cut here; the whole report is among the run's artifacts.\n"
PAGE = 100
TIMEOUT_S = 30


class Api:
    """GitHub's REST API of one repository, by a workflow's token. https://docs.github.com/en/rest."""

    def __init__(self, base: str, repository: str, token: str) -> None:
        self._base = f"{base}/repos/{repository}"
        self._token = token

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None, **query: str | int) -> Any:
        """Answer to one request. Raises urllib.error.HTTPError or urllib.error.URLError."""
        address = f"{self._base}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/vnd.github+json"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(address, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)


def number_of(api: Api, run: Mapping[str, Any]) -> int | None:
    """The open pull request whose head a workflow run was for; None where it is closed or has a newer head.

    The event itself names none for forks: https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_run
    """
    owner = run["head_repository"]["owner"]["login"]
    found = api.ask("GET", "/pulls", state="open", head=f"{owner}:{run['head_branch']}", per_page=PAGE)
    mine = (pull["number"] for pull in found if pull["head"]["sha"] == run["head_sha"])
    return next(mine, None)


def text(report: bytes) -> str:
    """The comment for a report: nobody is called by it, no other comment is imitated, and it is not too long."""
    said = report.decode("utf-8", "replace").replace(MARK, "")
    said = re.sub(r"@(?=\w)", "@\N{ZERO WIDTH SPACE}", said)
    head = f"{MARK}\n{NOTE}\n\n"
    room = LIMIT - len(head) - len(CUT)
    return head + (said if len(said) <= room else said[:room] + CUT)


def post(api: Api, number: int, body: str) -> str:
    """Write the comment, or write the one of an earlier run anew; its address."""
    page, found = 1, None
    while found is None:
        comments = api.ask("GET", f"/issues/{number}/comments", per_page=PAGE, page=page)
        mine = (one["id"] for one in comments if one["user"]["login"] == AUTHOR and one["body"].startswith(MARK))
        found, page = next(mine, None), page + 1
        if len(comments) < PAGE:
            break
    method, path = ("POST", f"/issues/{number}/comments") if found is None else ("PATCH", f"/issues/comments/{found}")
    return str(api.ask(method, path, {"body": body})["html_url"])


def main(file: Path, environ: Mapping[str, str]) -> str:
    """Post the report in `file`; one sentence on what was done. Raises OSError where GitHub or the file says no."""
    run = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text())["workflow_run"]
    api = Api(environ["GITHUB_API_URL"], environ["GITHUB_REPOSITORY"], environ["GITHUB_TOKEN"])
    number = number_of(api, run)
    if number is None:
        return f"no open pull request has {run['head_sha']} as its head: nothing to comment on"
    return f"commented: {post(api, number, text(file.read_bytes()))}"


if __name__ == "__main__":
    try:
        print(main(Path(sys.argv[1]), os.environ))
    except (OSError, KeyError) as error:
        sys.exit(f"muster: the report can't be posted: {error}")
