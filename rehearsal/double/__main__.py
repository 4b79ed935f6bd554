"""`python -m rehearsal.double`."""

from rehearsal.double.provider import main

main()
