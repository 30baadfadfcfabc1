"""What runs around the logic: settings, wiring, logs and metrics, errors as HTTP."""
