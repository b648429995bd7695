#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""https_get.py CA_FILE CIPHERS [--keep] URL...

Python as an HTTPS client outside the library. Prints the SHA-256 of each answer's body.
With --keep, all on one connection.
"""

import hashlib
import http.client
import ssl
import sys
import urllib.parse
import urllib.request


def digest(answer):
    result = hashlib.sha256()
    while block := answer.read(1 << 16):
        result.update(block)
    return result.hexdigest()


def get_on_one_connection(urls, context):
    host = urllib.parse.urlsplit(urls[0])
    connection = http.client.HTTPSConnection(
        host.hostname, host.port, context=context, timeout=30
    )
    connection.connect()
    first = connection.sock
    for url in urls:
        connection.request("GET", urllib.parse.urlsplit(url).path)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        print(digest(answer))
        assert connection.sock is first, "the server closed the connection"


def main():
    ca_file, ciphers, *urls = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca_file)
    context.set_ciphers(ciphers)
    if urls[0] == "--keep":
        get_on_one_connection(urls[1:], context)
        return
    for url in urls:
        with urllib.request.urlopen(url, context=context, timeout=30) as answer:
            print(digest(answer))


main()
