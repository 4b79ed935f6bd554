"""Everything that planning looks at."""

from dataclasses import dataclass
from datetime import datetime

from muster.catalog import Catalog
from muster.catalog.services import Services
from muster.gang import Backend
from muster.plan.notes import Notes
from muster.repository import Repository
from muster.settings import Settings


@dataclass(frozen=True)
class Inputs:
    """One stack's settings beside the facts they refer to, and where mistakes are noted."""

    settings: Settings
    repository: Repository
    catalog: Catalog
    services: Services
    now: datetime
    backend: Backend
    notes: Notes
