"""Multi-node DeepSpeed on Kubernetes as tracked Pulumi resources.

Data flows one way: settings (what a stack file says), plan (what it means), manifests (what it looks like), resources
(what is created). `docs/architecture.md` tells which module owns what.
"""
