"""An environment on AWS, planned: network, control plane, node groups, storage, GPU platform, cost."""
