"""Loss functions that more than one method uses."""
