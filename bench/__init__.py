"""What the product reaches, beside a bare program that does only that step, measured in the same run."""
