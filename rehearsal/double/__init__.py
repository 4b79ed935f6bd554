"""A double of AWS, as Pulumi's AWS provider would see it: it accepts, refuses, replaces and deletes as AWS does."""
