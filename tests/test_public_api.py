"""What `import tfdpzoo` offers."""

import importlib
import subprocess
import sys

import tfdpzoo


def test_every_public_name_exists():
    for name in tfdpzoo.__all__:
        assert getattr(tfdpzoo, name) is not None


def test_the_functions_stay_functions_after_their_modules_were_imported():
    for module in ("training", "saved_model", "verification", "zoo"):
        importlib.import_module(f"tfdpzoo.{module}")
    assert callable(tfdpzoo.export) and callable(tfdpzoo.verify) and callable(tfdpzoo.build)


def test_importing_the_package_does_not_import_tensorflow():
    code = "import sys, tfdpzoo; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
