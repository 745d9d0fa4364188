"""The canary, waves, failure budgets, approval and restart consent: arithmetic on values that knows no runtime."""
