"""pycose, unmodified: verifies what this project made, and makes what it must accept.

Questions as JSON lines with hex: {"ask": "verify", "message", "payload", "alg", "key"}: "yes" or "no" (`payload` for a detached
one); {"ask": "sign", "kid", "payload", "alg", "secret"}: a signed statement in hex.
"""

import json
import sys

from pycose.algorithms import EdDSA, Es256
from pycose.headers import KID, Algorithm, ContentType
from pycose.keys import EC2Key, OKPKey
from pycose.keys.curves import P256, Ed25519
from pycose.messages import Sign1Message


def key_of(alg, public=None, secret=None):
    if alg == "Ed25519":
        return OKPKey(crv=Ed25519, x=public or b"", d=secret or b"")
    x, y = (public[:32], public[32:]) if public else (b"", b"")
    return EC2Key(crv=P256, x=x, y=y, d=secret or b"")


for line in sys.stdin:
    asked = json.loads(line)
    asked |= {n: bytes.fromhex(asked[n]) for n in ("message", "payload", "key", "kid", "secret") if n in asked}
    if asked["ask"] == "verify":
        message = Sign1Message.decode(asked["message"])
        message.key = key_of(asked["alg"], public=asked["key"])
        good = message.verify_signature(**({"detached_payload": asked["payload"]} if message.payload is None else {}))
        print("yes" if good else "no")
    else:
        algorithm = EdDSA if asked["alg"] == "Ed25519" else Es256
        message = Sign1Message(
            phdr={
                Algorithm: algorithm,
                ContentType: "text/plain",
                KID: asked["kid"],
                15: {1: "https://pycose.example", 2: "urn:example:pycose"},
            },
            uhdr={"tool": "pycose"},
            payload=asked["payload"],
        )
        message.key = key_of(asked["alg"], public=asked["key"], secret=asked["secret"])
        print(message.encode().hex())
