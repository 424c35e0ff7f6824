"""Policy: the gates that every registry has, and the Cedar policies that its admins set."""
