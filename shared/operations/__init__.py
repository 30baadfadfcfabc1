"""What a person on duty runs: the balance of the ledger, and sending round again what got stuck."""
