"""An event reaches a system of the company that subscribed to it."""
