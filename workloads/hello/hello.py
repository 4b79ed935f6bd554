"""Every rank says who it is, then all add up their numbers: an ordinary script that knows nothing of its launcher."""

import json
import os
import sys

import torch
import torch.distributed as dist

VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
BAD_CONFIGURATION = 78


def say(event: str, **facts: object) -> None:
    """One JSON line in one write, so that ranks' lines never mix."""
    os.write(1, (json.dumps({"event": event, **facts}) + "\n").encode())


def main() -> None:
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        print(f"ConfigurationError: not set: {', '.join(missing)}", file=sys.stderr)
        sys.exit(BAD_CONFIGURATION)
    rank, local_rank, world = (int(os.environ[name]) for name in VARIABLES[:3])
    device, backend = torch.device("cpu"), "gloo"
    if torch.cuda.is_available():
        device, backend = torch.device("cuda", local_rank), "nccl"
        torch.cuda.set_device(device)
    dist.init_process_group(backend)
    say(
        "env",
        rank=rank,
        local_rank=local_rank,
        world_size=world,
        master_addr=os.environ["MASTER_ADDR"],
        master_port=int(os.environ["MASTER_PORT"]),
    )
    number = torch.tensor([rank + 1], device=device)
    dist.all_reduce(number)
    found, expected = number.item(), world * (world + 1) // 2
    dist.barrier()
    dist.destroy_process_group()
    if found != expected:
        sys.exit(f"WrongSumError: rank {rank} found {found} as the sum of 1 to {world}; expected {expected}")
    if rank == 0:
        say("done", sum=found, expected=expected, backend=backend)


if __name__ == "__main__":
    main()
