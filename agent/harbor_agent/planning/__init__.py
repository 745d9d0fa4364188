"""Pure decisions, one package per container runtime: observed and desired state in, plan or refusal out."""
