"""What a stack exports, by name, for `pulumi stack output` and for stacks that refer to it."""

from collections.abc import Mapping

MEANING: Mapping[str, str] = {
    "cluster": "Name of the EKS cluster; elsewhere what the stack calls its cluster",
    "releases": "Folder of the chart by Helm release",
    "pools": "Number of nodes by pool",
    "runtimes": "Names of the runtimes",
    "jobs": "Namespace and run by job",
    "region": "Region on AWS",
    "hourlyUsd": "USD an hour at on-demand prices",
    "costLines": "The same by what costs it",
}
"""Every output; those from `region` on only stacks on AWS have."""
