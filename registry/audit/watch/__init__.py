"""The watch: it follows the ledger, believes no entry that it has not verified, and reports by rules."""
