"""The company's choices, as YAML files that are validated whenever they are read."""
