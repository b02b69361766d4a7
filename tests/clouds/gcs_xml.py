#!/usr/bin/env python3
"""gcs_xml.py PORT FAKE: what fake-gcs-server lacks of Google's XML API. Its JSON API keeps `ifGenerationMatch`, its XML API
neither takes a PUT nor heeds `x-goog-if-generation-match` (fsouza/fake-gcs-server#994): a PUT is sent on as the JSON upload
that means the same, everything else as it is."""

import http.client
import http.server
import json
import sys
import urllib.parse

PORT, FAKE = map(int, sys.argv[1:])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        bucket, _, name = urllib.parse.urlsplit(self.path).path[1:].partition("/")
        query = {"uploadType": "media", "name": urllib.parse.unquote(name)}
        if "x-goog-if-generation-match" in self.headers:
            query["ifGenerationMatch"] = self.headers["x-goog-if-generation-match"]
        answer, content = self.ask("POST", f"/upload/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}", body)
        if answer.status != 200:
            return self.tell(answer.status, {}, content)
        made = json.loads(content)
        self.tell(200, {"etag": f'"{made["etag"]}"', "x-goog-generation": made["generation"]}, b"")

    def do_GET(self):
        answer, content = self.ask(self.command, self.path, None)
        skipped = {"connection", "content-length", "transfer-encoding", "date", "server"}
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in skipped}
        length = answer.getheader("content-length") if self.command == "HEAD" else None
        self.tell(answer.status, headers, content, length)

    do_HEAD = do_DELETE = do_GET

    def ask(self, method, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", FAKE, timeout=60)
        headers = {"Host": "storage.googleapis.com"}
        if "range" in self.headers:
            headers["Range"] = self.headers["range"]
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def tell(self, status, headers, content, length=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
