"""What training leaves behind: the change of the base model's weights, whatever made it."""
