"""Serve one model, split over all ranks by DeepSpeed tensor parallelism, behind one HTTP endpoint on rank 0.

Two planes. Control: every tick, also when idle, all ranks meet in one all-reduce with a short time limit: rank 0's next
work, and anyone's wish to stop. Data: the model's own collectives. Only the main thread uses torch.distributed; HTTP
has a thread of its own. Ranks compute what rank 0's rows say, its chosen tokens included, so they can't diverge.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

import deepspeed
import torch
import torch.distributed as dist
import uvicorn
from model import CONTEXT, HEADS, load
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from torch import Tensor

MOST_TOKENS = 64
LONGEST_PROMPT, LARGEST_BODY = CONTEXT - MOST_TOKENS, 65536
TICK_SECONDS, TELL_SECONDS = 0.5, 5.0
LOST_PEER, STOPPED, BAD_CONFIGURATION = 74, 75, 78
LOST = ("Connection closed by peer", "Connection reset", "imed out", "imeout", "Broken pipe", "No route to host")
REFUSED = {
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests wait; try again later",
    HTTPStatus.SERVICE_UNAVAILABLE: "loading, stopping, or a peer is lost; try again later",
}


def say(event: str, **facts: object) -> None:
    """One JSON line in one write, so that ranks' lines never mix."""
    os.write(1, (json.dumps({"event": event, **facts}) + "\n").encode())


def skip_cpu_jit() -> None:
    """Without a GPU DeepSpeed compiles a shared-memory operator, which crashes when ranks are on several nodes.

    https://github.com/deepspeedai/DeepSpeed/issues/7625
    """
    if os.environ.get("DS_ACCELERATOR") == "cpu":
        import deepspeed.comm.comm  # noqa: F401, PLC0415 - loads the module that is looked up by name

        sys.modules["deepspeed.comm.torch"].build_shm_op = lambda: None  # type: ignore[attr-defined]


class Arguments(argparse.ArgumentParser):
    """Mistakes in arguments are configuration errors: nobody should run them again."""

    def error(self, message: str) -> None:  # type: ignore[override]
        print(f"ConfigurationError: {message}", file=sys.stderr, flush=True)
        sys.exit(BAD_CONFIGURATION)


def arguments(world: int) -> argparse.Namespace:
    parser = Arguments(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--queue", type=int, default=256, help="requests that may wait")
    parser.add_argument("--max-batch", type=int, default=8, help="requests that are worked on at a time")
    parser.add_argument("--drain", type=float, default=60.0, help="seconds to finish accepted requests after a stop")
    parser.add_argument("--control-timeout", type=float, default=15.0, help="seconds after which a peer is lost")
    options = parser.parse_args()
    limits = {"port": (1, 65535), "queue": (1, 10**5), "max_batch": (1, 10**4), "drain": (0, 3600)}
    for name, (least, most) in (limits | {"control_timeout": (3, 3600)}).items():
        if not least <= (found := getattr(options, name)) <= most:
            parser.error(f"--{name.replace('_', '-')}: found {found}; expected {least} to {most}")
    if HEADS % world:
        parser.error(f"WORLD_SIZE: found {world}; expected a divisor of the model's {HEADS} heads")
    return options


class Pulse:
    """When all ranks last met: what probes ask, and what ends the process when that is too long ago."""

    def __init__(self, limit: float) -> None:
        self._limit, self._last = limit, time.monotonic()
        self.loaded = self.stopping = False

    @property
    def age(self) -> float:
        return time.monotonic() - self._last

    @property
    def alive(self) -> bool:
        return not self.loaded or self.age < self._limit

    @property
    def ready(self) -> bool:
        return self.loaded and not self.stopping and self.age < self._limit / 3

    def beat(self) -> None:
        self._last = time.monotonic()

    def start(self) -> None:
        self.beat()
        self.loaded = True
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while self.age < self._limit:
            time.sleep(0.5)
        print(f"PeerLostError: ranks did not meet for {self._limit:.0f} s", file=sys.stderr, flush=True)
        os._exit(LOST_PEER)


@dataclass(eq=False)
class Generation:
    """A request on its way: its tokens so far, how many are to come, and where they go; None ends it."""

    tokens: list[int]
    left: int
    put: Callable[[str | None], object]
    slot: int = -1
    cached: int = 0
    gone: bool = False


class Inbox:
    """The bounded queue between the HTTP thread and the ranks; once closed it can only become empty."""

    def __init__(self, size: int) -> None:
        self._size, self._open, self._changed = size, True, threading.Condition()
        self.waiting: deque[Generation] = deque()

    def offer(self, generation: Generation) -> HTTPStatus:
        with self._changed:
            if not self._open:
                return HTTPStatus.SERVICE_UNAVAILABLE
            if len(self.waiting) >= self._size:
                return HTTPStatus.TOO_MANY_REQUESTS
            self.waiting.append(generation)
            self._changed.notify()
            return HTTPStatus.OK

    def take(self, most: int, seconds: float) -> list[Generation]:
        with self._changed:
            self._changed.wait_for(lambda: self.waiting, seconds)
            return [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]

    def close(self) -> None:
        with self._changed:
            self._open = False


class Schedule:
    """Rank 0's part: who has which slot, and what is computed next. New requests join between two tokens."""

    def __init__(self, inbox: Inbox, slots: int) -> None:
        self._inbox, self._free, self.served = inbox, list(range(slots)), 0
        self._active: list[Generation] = []
        self._now: list[Generation] = []

    @property
    def unanswered(self) -> int:
        return len(self._active) + len(self._inbox.waiting)

    def plan(self, seconds: float) -> Tensor:
        """Rows for the model: prompts of new requests, else one more token of all, else none after these seconds."""
        for generation in [one for one in self._active if one.gone]:
            self._leave(generation)
        for generation in self._inbox.take(len(self._free), 0 if self._active else seconds):
            generation.slot = self._free.pop()
            self._active.append(generation)
        self._now = [one for one in self._active if not one.cached] or self._active[:]
        new = [one.tokens[one.cached :] for one in self._now]
        width = max(map(len, new), default=0)
        rows = torch.zeros(len(new), 3 + width, dtype=torch.int64)
        for row, one, ids in zip(rows, self._now, new, strict=True):
            row[: 3 + len(ids)] = torch.tensor([one.slot, one.cached, len(ids), *ids])
        return rows

    def deliver(self, tokens: list[int]) -> None:
        for generation, token in zip(self._now, tokens, strict=True):
            generation.cached = len(generation.tokens)
            generation.tokens.append(token)
            generation.left -= 1
            generation.put(chr(token))
            if not generation.left:
                generation.put(None)
                self._leave(generation)
                self.served += 1

    def _leave(self, generation: Generation) -> None:
        self._active.remove(generation)
        self._free.append(generation.slot)


def wanted(body: bytes) -> tuple[list[int], int, bool]:
    """Tokens, number of new tokens and whether to stream. Raises ValueError with a sentence for the client."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError('body: found no JSON object; expected one such as {"prompt": "Once"}')
    for key in sorted(found.keys() - {"prompt", "max_tokens", "stream"}):
        raise ValueError(f"{json.dumps(key)[:60]}: found an unknown key; expected max_tokens, prompt or stream")
    prompt, most, stream = found.get("prompt"), found.get("max_tokens", 16), found.get("stream", False)
    tokens = list(prompt.encode(errors="surrogatepass")) if isinstance(prompt, str) else []
    for key, right, expected in (
        ("prompt", 0 < len(tokens) <= LONGEST_PROMPT, f"a text of 1 to {LONGEST_PROMPT} bytes"),
        ("max_tokens", type(most) is int and 0 < most <= MOST_TOKENS, f"a whole number from 1 to {MOST_TOKENS}"),
        ("stream", isinstance(stream, bool), "true or false"),
    ):
        if not right:
            value = json.dumps(found[key]) if key in found else "nothing"
            if key == "prompt" and tokens:
                value = f"{len(tokens)} bytes"
            raise ValueError(f"{key}: found {value[:60]}; expected {expected}")
    return tokens, most, stream


def application(rank: int, pulse: Pulse, inbox: Inbox) -> Starlette:
    """Probes on every pod, requests on rank 0."""

    async def livez(_: Request) -> Response:
        return JSONResponse({"rank": rank, "beat_age": round(pulse.age, 3)}, 200 if pulse.alive else 503)

    async def readyz(_: Request) -> Response:
        return JSONResponse({"rank": rank, "ready": pulse.ready}, 200 if pulse.ready else 503)

    async def generate(request: Request) -> Response:
        try:
            tokens, most, stream = wanted(await request.body())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        loop, pieces = asyncio.get_running_loop(), asyncio.Queue[str | None]()
        generation = Generation(tokens, most, lambda piece: loop.call_soon_threadsafe(pieces.put_nowait, piece))
        status = inbox.offer(generation) if pulse.ready else HTTPStatus.SERVICE_UNAVAILABLE
        if status in REFUSED:
            return JSONResponse({"error": REFUSED[status]}, status, {"Retry-After": "1"})

        async def events() -> AsyncIterator[str]:
            try:
                while (piece := await pieces.get()) is not None:
                    yield f"data: {json.dumps({'text': piece})}\n\n"
                yield "data: [DONE]\n\n"
            finally:
                generation.gone = True

        if stream:
            return StreamingResponse(events(), media_type="text/event-stream")
        text = ""
        while not generation.gone and (piece := await pieces.get()) is not None:
            text += piece
            generation.gone = await request.is_disconnected()
        return JSONResponse({"text": text})

    routes = [Route("/livez", livez), Route("/readyz", readyz)]
    if rank == 0:
        routes.append(Route("/generate", generate, methods=["POST"], max_body_size=LARGEST_BODY))
    return Starlette(routes=routes)


class Web:
    """The HTTP server in a thread of its own."""

    def __init__(self, app: Starlette, port: int) -> None:
        listener = socket.create_server(("", port))
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Send what is answered; connections without an answer close with the process."""
        self._server.should_exit = True
        self._thread.join(seconds)


def serve(options: argparse.Namespace) -> None:
    """Load, then work until all ranks agreed to stop and accepted requests are answered."""
    rank, world, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    pulse, inbox, stop = Pulse(options.control_timeout), Inbox(options.queue), threading.Event()
    web = Web(application(rank, pulse, inbox), options.port) if local == 0 else None
    skip_cpu_jit()
    deepspeed.init_distributed(verbose=False)
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    say("env", rank=rank, local_rank=local, world_size=world, master_addr=address, master_port=port)
    control = dist.new_group(backend="gloo", timeout=timedelta(seconds=options.control_timeout))
    model = load(world, options.max_batch)
    # The model's first collective waits until all ranks have loaded.
    model(torch.tensor([[0, 0, 1, 0]]))
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pulse.start()
    say("ready", rank=rank, world_size=world, parameters=sum(one.numel() for one in model.parameters()))

    schedule, told, due, end = Schedule(inbox, options.max_batch), 0, 0.0, 0.0
    while True:
        rows, over = torch.zeros(0, 0), False
        if rank == 0:
            rows = schedule.plan(0.0 if pulse.stopping else TICK_SECONDS)
            over = pulse.stopping and (not schedule.unanswered or time.monotonic() > end)
        header = torch.tensor([*rows.shape, over, stop.is_set()], dtype=torch.int64)
        dist.all_reduce(header, op=dist.ReduceOp.MAX, group=control)
        *shape, over, stopping = header.tolist()
        pulse.beat()
        if stopping and not pulse.stopping:
            inbox.close()
            pulse.stopping, end = True, time.monotonic() + options.drain
            if rank == 0:
                say("draining", requests=schedule.unanswered)
        if schedule.served != told and (over or time.monotonic() > due):
            told, due = schedule.served, time.monotonic() + TELL_SECONDS
            say("served", requests=told)
        if over:
            break
        if shape[0]:
            rows = rows if rank == 0 else torch.empty(shape, dtype=torch.int64)
            dist.broadcast(rows, 0, group=control)
            tokens = model(rows)
            if rank == 0:
                schedule.deliver(tokens)
    if web:
        web.close(options.control_timeout / 3)
    say("stopped", rank=rank)


def main() -> None:
    options, code = arguments(int(os.environ["WORLD_SIZE"])), STOPPED
    try:
        serve(options)
    except Exception as error:
        if isinstance(error, dist.DistError) or any(text in str(error) for text in LOST):
            print(f"PeerLostError: {str(error).splitlines()[0]}", file=sys.stderr)
            code = LOST_PEER
        else:
            traceback.print_exc()
            code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
