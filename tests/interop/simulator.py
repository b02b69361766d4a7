"""A simulator as a child process."""

import json
import pathlib
import subprocess


class Simulator:
    """Serves org directories on a free port, or where `listen` says, until the block is left."""

    def __init__(self, binaries, orgs, *options, listen="127.0.0.1:0"):
        arguments = [word for org in orgs for word in ("--org", str(org))]
        command = [pathlib.Path(binaries) / "orgkeep-simulator", *arguments, "--listen", listen, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the simulator did not start; what it said stands above")
        self.start = json.loads(line)
        self.address, self.orgs = self.start["address"], self.start["orgs"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
