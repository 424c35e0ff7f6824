"""The audit measured: every question that it answers, on ledgers of every size and on both databases."""
