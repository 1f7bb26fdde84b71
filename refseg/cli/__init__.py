"""The verbs that are not the trainer's, one file each; nothing here imports torch."""
