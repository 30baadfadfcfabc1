"""Internet mail, whoever delivers it: reading MIME as it really comes, and writing it."""
