"""securesystemslib, unmodified: signs an in-toto statement as DSSE and verifies one.

Questions as JSON lines: {"ask": "sign", "alg", "pem", "keyid", "payload"} with text, answered by the envelope as JSON;
{"ask": "verify", "pem", "keyid", "alg", "envelope"}: "yes" or "no".
"""

import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey


def signer_of(asked):
    private = load_pem_private_key(asked["pem"].encode(), None)
    public = SSlibKey.from_crypto(private.public_key(), asked["keyid"])
    return CryptoSigner(private, public), public


for line in sys.stdin:
    asked = json.loads(line)
    signer, public = signer_of(asked)
    if asked["ask"] == "sign":
        envelope = Envelope(asked["payload"].encode(), "application/vnd.in-toto+json", {})
        envelope.sign(signer)
        print(json.dumps(envelope.to_dict()))
    else:
        try:
            Envelope.from_dict(json.loads(asked["envelope"])).verify([public], 1)
            print("yes")
        except VerificationError:
            print("no")
