"""One file per provider. See docs/adding-a-provider.md."""
