"""The kubeconfig of an EKS cluster: it holds no credential, each client asks the aws command for one."""

import json

from muster.plan.aws.parts import EksPlan


def build(eks: EksPlan, endpoint: str, authority: str) -> str:
    """A kubeconfig as JSON text; `authority` is the cluster's certificate, base64.

    https://docs.aws.amazon.com/eks/latest/userguide/create-kubeconfig.html
    """
    arguments = ["--region", eks.region, "eks", "get-token", "--cluster-name", eks.name, "--output", "json"]
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": eks.name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
            "contexts": [{"name": eks.name, "context": {"cluster": eks.name, "user": eks.name}}],
            "current-context": eks.name,
            "users": [
                {
                    "name": eks.name,
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": "aws",
                            "args": arguments,
                            "interactiveMode": "Never",
                        }
                    },
                }
            ],
        }
    )
