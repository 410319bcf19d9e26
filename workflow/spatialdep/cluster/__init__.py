"""What a cluster's jobs need: resources, estimates, the queue, staged data."""
