"""What can run the chain's stages: one protocol, one file per engine."""
