"""Runs the named modules: every function whose name begins with test_, between set_up() and tear_down() if the module
has them. Prints what fails, and last how many passed and failed; exits 1 if any failed."""

import importlib
import sys
import traceback


def run(module):
    """Names of the functions that passed and that failed."""
    passed, failed = [], []
    getattr(module, "set_up", lambda: None)()
    try:
        for name, test in vars(module).items():
            if not name.startswith("test_"):
                continue
            try:
                test()
                passed.append(name)
            except Exception:
                failed.append(name)
                print(f"FAILED {name}: {(test.__doc__ or '').strip()}")
                traceback.print_exc(file=sys.stdout)
    finally:
        getattr(module, "tear_down", lambda: None)()
    return passed, failed


results = [run(importlib.import_module(name)) for name in sys.argv[1:]]
passed = sum(len(passed) for passed, _ in results)
failed = sum(len(failed) for _, failed in results)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
