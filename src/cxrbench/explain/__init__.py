"""What a trained network looks at, and what age, sex and view add: heat maps, their score against boxes."""
