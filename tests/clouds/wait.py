#!/usr/bin/env python3
"""wait.py PORT...: until something listens on each port of 127.0.0.1; exits 1 after a minute."""

import socket
import sys
import time

end = time.monotonic() + 60
for port in map(int, sys.argv[1:]):
    while True:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                break
        if time.monotonic() > end:
            sys.exit(f"nothing listens on {port}")
        time.sleep(0.1)
