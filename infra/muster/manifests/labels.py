"""Labels and annotations that every manifest of this project shares."""

MANAGED = {"app.kubernetes.io/managed-by": "muster"}
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/"""
JOB = "muster.dev/job"
RUN = "muster.dev/run"
POOL = "muster.dev/pool"
ALLOCATABLE = "muster.dev/allocatable"
"""Annotation of a simulated node: its resources as a JSON map, which the simulator's stages read."""
