"""What must be so before money is spent: asked of AWS, of the cluster and of the checkout, changing nothing."""
