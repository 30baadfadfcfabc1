"""What two or more steps speak: the domain, events, providers, policies, ports, adapters."""
