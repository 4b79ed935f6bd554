"""`python -m rehearsal.double`."""

import gc

# As in infra/__main__.py: the engine waits for these imports.
gc.disable()

from rehearsal.double.provider import main  # noqa: E402

gc.enable()
main()
