"""A suite that is called over HTTP."""

from suite import *


class HttpSuite(Suite):
    """With credentials; `origin` is where HTTP is spoken."""

    def __init__(self, *gateway_arguments):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="peiling-http-"))
        port_file = directory / "http.port"
        super().__init__(directory=directory, credentials=True, gateway_arguments=[f"--http-port-file={port_file}", *gateway_arguments])
        self.own_directory = True
        self.origin = f"http://{port_file.read_text().strip()}"
