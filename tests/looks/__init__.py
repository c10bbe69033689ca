"""Pictures of the real window in many situations, for a person to look at: ``python -m tests.looks OUT``."""
