"""What is wrong with this machine? One function a check; each gets its facts from outside.

`diagnose` gathers the facts and runs them all. Nothing here is needed to train.
"""

from tfdpzoo.diagnosis.diagnose import diagnose
from tfdpzoo.diagnosis.finding import Finding, Status

__all__ = ["Finding", "Status", "diagnose"]
