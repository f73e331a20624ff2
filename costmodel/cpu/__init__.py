"""What is special to the `cpu` kind: its learner, its baseline, adapting from three scores, what-if, its data sets."""
