"""Network pieces that more than one method uses."""
