"""The recorded SQL cases: none that matched before may stop matching.

The cases and their player are not part of this tree; they lie beside it in shared/conformance, or where CONFORMANCE_DIR says.
Without them the test is skipped. The cases that match are listed in tests/conformance_baseline.txt; the figures that
tests/CONFORMANCE.md names come from the same command.
"""

import os
import subprocess
import sys
import unittest

from harness import HOST, ROOT, ClusterTest, main

CASES = os.environ.get("CONFORMANCE_DIR", os.path.join(os.path.dirname(ROOT), "shared", "conformance"))
PLAYER = os.path.join(CASES, "run.py")
BASELINE = os.path.join(ROOT, "tests", "conformance_baseline.txt")


class Conformance(ClusterTest):
    """The whole set against one frontend and one backend."""

    @unittest.skipUnless(os.path.exists(PLAYER), f"no recorded cases in {CASES}")
    def test_no_case_is_lost(self):
        command = [sys.executable, PLAYER, os.path.join(CASES, "cases"), "--host", HOST, "--port", str(self.cluster.query_port)]
        command += ["--timeout", "30", "--failures", "0", "--baseline", BASELINE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        print(done.stdout[-4000:], flush=True)
        self.assertEqual(done.returncode, 0, f"cases were lost\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


if __name__ == "__main__":
    main()
