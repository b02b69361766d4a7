#!/usr/bin/env python3
"""gcs_xml.py PORT FAKE: what fake-gcs-server lacks of Google's XML API. Its JSON API keeps `ifGenerationMatch`, its XML API
neither takes a PUT nor heeds `x-goog-if-generation-match` (fsouza/fake-gcs-server#994), nor uploads in parts: a PUT is sent on
as the JSON upload that means the same, the parts of an upload are kept here until it is completed and go on as one,
everything else goes as it is."""

import http.client
import http.server
import json
import sys
import threading
import urllib.parse
import uuid
import xml.etree.ElementTree

PORT, FAKE = map(int, sys.argv[1:])
# of uploads that have begun: their parts, by number
UPLOADS, LOCK = {}, threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        if "uploadId" in asked:
            with LOCK:
                parts = UPLOADS.get(asked["uploadId"])
                if parts is None:
                    return self.refuse(404, "NoSuchUpload")
                etag = f'"{uuid.uuid4().hex}"'
                parts[int(asked["partNumber"])] = (etag, body)
            return self.tell(200, {"etag": etag}, b"")
        self.put(body)

    def do_POST(self):
        """Begins an upload in parts, or completes it: exactly the parts that are named, by their ETags."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        query = urllib.parse.urlsplit(self.path).query
        asked = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if "uploads" in asked:
            upload = uuid.uuid4().hex
            with LOCK:
                UPLOADS[upload] = {}
            text = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>{}</UploadId></InitiateMultipartUploadResult>"
            return self.tell(200, {"content-type": "application/xml"}, text.format(upload).encode())
        with LOCK:
            parts = UPLOADS.get(asked.get("uploadId"))
        if parts is None:
            return self.refuse(404, "NoSuchUpload")
        named = [
            (int(part.findtext("{*}PartNumber")), part.findtext("{*}ETag"))
            for part in xml.etree.ElementTree.fromstring(body).iterfind("{*}Part")
        ]
        if not named or any(parts.get(number, ("",))[0].strip('"') != etag.strip('"') for number, etag in named):
            return self.refuse(400, "InvalidPart")
        with LOCK:
            UPLOADS.pop(asked["uploadId"], None)
        self.put(b"".join(parts[number][1] for number, _ in sorted(named)), completes=True)

    def do_DELETE(self):
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        if "uploadId" not in asked:
            return self.do_GET()
        with LOCK:
            there = UPLOADS.pop(asked["uploadId"], None)
        if there is None:
            return self.refuse(404, "NoSuchUpload")
        self.tell(204, {}, b"")

    def put(self, body, completes=False):
        bucket, _, name = urllib.parse.urlsplit(self.path).path[1:].partition("/")
        query = {"uploadType": "media", "name": urllib.parse.unquote(name)}
        if "x-goog-if-generation-match" in self.headers:
            query["ifGenerationMatch"] = self.headers["x-goog-if-generation-match"]
        answer, content = self.ask("POST", f"/upload/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}", body)
        if answer.status != 200:
            return self.tell(answer.status, {}, content)
        made = json.loads(content)
        text = b""
        if completes:
            text = f"<CompleteMultipartUploadResult><ETag>{made['etag']}</ETag></CompleteMultipartUploadResult>".encode()
        self.tell(200, {"etag": f'"{made["etag"]}"', "x-goog-generation": made["generation"]}, text)

    def do_GET(self):
        answer, content = self.ask(self.command, self.path, None)
        skipped = {"connection", "content-length", "transfer-encoding", "date", "server"}
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in skipped}
        length = answer.getheader("content-length") if self.command == "HEAD" else None
        self.tell(answer.status, headers, content, length)

    do_HEAD = do_GET

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

    def refuse(self, status, code):
        self.tell(status, {"content-type": "application/xml"}, f"<Error><Code>{code}</Code></Error>".encode())

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
