"""Pure decisions: observed state and desired state in, plan or refusal out."""
