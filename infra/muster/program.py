"""The whole stack in order: what a plan becomes on a cluster, and what the stack exports."""

from collections.abc import Mapping
from pathlib import Path

import pulumi

from muster import catalog, plan, releases, repository, settings
from muster.plan import Plan
from muster.resources import gate, platform, provider, training
