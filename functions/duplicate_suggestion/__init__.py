"""Who changed is compared with people alike, and a person is asked whether they are one."""
