"""Verification: does an exported model still say, and support, what it claimed?

What is checked of a folder, in this order:

1. privacy.json has exactly the form in which tfdpzoo writes it, and where privacy.sig.json lies
   beside it, that is a signature of it;
2. every file of the version has the digest that privacy.json lists, and none is added or missing;
3. the weights in the variables have the digest that the record states;
4. the model's own answer, the signature `privacy_guarantee`, is the record in privacy.json;
5. every number of the record that follows from the executed updates is computed again.

A model is loaded (steps 3 and 4) only if its files are the ones that were written. A zip is
unpacked and checked as a folder. A served model can only be asked for its record, of which the form
and the arithmetic are checked: the files and the weights behind the server are not seen.

Verification finds alterations and wrong arithmetic. It cannot tell who wrote a record (a signature
can, to somebody who knows the key), nor whether the training happened as recorded: somebody who
replaces model, record and digests together, with arithmetic that is right, has made a new claim. As
with every SavedModel, loading a stranger's runs its graph.
"""

from tfdpzoo.verification.arithmetic import check_arithmetic
from tfdpzoo.verification.report import VerificationReport
from tfdpzoo.verification.target import verify

__all__ = ["VerificationReport", "check_arithmetic", "verify"]
