"""How the rule-based judge reads English: tokens, phrases, mentions, clauses, global state."""
