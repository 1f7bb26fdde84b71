"""Variables of the papers' own code (TensorFlow 0.12 to 1.x) as weights of refseg."""
