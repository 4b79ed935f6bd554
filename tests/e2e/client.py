"""Many requests at once to a server in the cluster's network; one JSON list of [status, text] pairs on stdout.

Run by `nsenter` in the cluster's network namespace: `client.py URL REQUESTS`. Status 0 is a closed connection. An
answer of 429 is asked again, as a client should.
"""

import json
import sys
import time
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


def main(url: str, count: int) -> None:
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda number: ask(url, number), range(count)))
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
