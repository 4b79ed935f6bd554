"""The only modules that create Pulumi resources: one noun each, dictionaries from `muster.manifests` in."""
