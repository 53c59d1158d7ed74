"""What is wrong with this machine? One function a check; each gets its facts from outside.

`diagnose.diagnose` gathers the facts and runs all checks. Nothing here is needed to train.
"""
