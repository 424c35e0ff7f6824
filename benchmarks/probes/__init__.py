"""What runs in a process of its own: each prints one JSON object and imports no more than it measures."""
