"""Rehearsal of an AWS environment: its own program against an AWS double and the embedded cluster, nothing paid for."""
