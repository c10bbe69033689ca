"""What corresponds in two networks, and how much it differs."""
