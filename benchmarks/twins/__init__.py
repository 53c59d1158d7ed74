"""The zoo's architectures in the frameworks of the peers."""
