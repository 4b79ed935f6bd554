"""Many requests at once to a server in the cluster's network; one JSON list of [status, text] pairs on stdout.

Run by `nsenter` in the cluster's network namespace: `client.py URL REQUESTS whole|streamed`. Status 0 is a closed
connection. An answer of 429 is asked again, as a client should.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests

BUSY = 429


def ask(url: str, number: int) -> tuple[int, str]:
    """Status and text of one request."""
    body = {"prompt": f"request {number % 20}", "max_tokens": 8}
    while True:
        try:
            answer = requests.post(f"{url}/generate", json=body, timeout=300)
        except requests.exceptions.RequestException:
            return 0, ""
        if answer.status_code != BUSY:
            text = answer.json()["text"] if answer.status_code == requests.codes.ok else ""
            return answer.status_code, text
        time.sleep(0.2)


def streamed(url: str, number: int) -> tuple[int, str]:
    """Status and text of one request whose tokens come one by one, as server-sent events."""
    body = {"prompt": f"request {number % 20}", "max_tokens": 8, "stream": True}
    with requests.post(f"{url}/generate", json=body, stream=True, timeout=300) as answer:
        *events, last = [line.removeprefix(b"data: ") for line in answer.iter_lines() if line]
    assert last == b"[DONE]"
    return answer.status_code, "".join(json.loads(event)["text"] for event in events)


def main(way: Callable[[str, int], tuple[int, str]], url: str, count: int) -> None:
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda number: way(url, number), range(count)))
    print(json.dumps(answers))


if __name__ == "__main__":
    main({"whole": ask, "streamed": streamed}[sys.argv[3]], sys.argv[1], int(sys.argv[2]))
