// go-cose (github.com/veraison/go-cose), unmodified, asked one question a line on standard input, as JSON with hex:
// {"ask": "verify", "message", "payload", "alg", "key"}: "yes", or "no: why" (payload for a detached one);
// {"ask": "sign", "kid", "payload", "alg", "key", "secret"}: a signed statement in hex.
package main

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256" // what ES256 hashes with
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"

	"github.com/veraison/go-cose"
)

type question struct{ Ask, Message, Payload, Alg, Key, Kid, Secret string }

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var q question
		must(json.Unmarshal(lines.Bytes(), &q))
		if q.Ask == "sign" {
			fmt.Println(hex.EncodeToString(sign(q)))
		} else if err := verify(q); err != nil {
			fmt.Println("no:", err)
		} else {
			fmt.Println("yes")
		}
	}
}

func verify(q question) error {
	var message cose.Sign1Message
	if err := message.UnmarshalCBOR(bytes(q.Message)); err != nil {
		return err
	}
	if message.Payload == nil {
		message.Payload = bytes(q.Payload)
	}
	alg, err := message.Headers.Protected.Algorithm()
	if err != nil {
		return err
	}
	verifier, err := cose.NewVerifier(alg, publicKey(q))
	if err != nil {
		return err
	}
	return message.Verify(nil, verifier)
}

func sign(q question) []byte {
	alg, key := cose.AlgorithmEdDSA, any(ed25519.NewKeyFromSeed(bytes(q.Secret)))
	if q.Alg == "ES256" {
		alg = cose.AlgorithmES256
		key = &ecdsa.PrivateKey{PublicKey: *publicKey(q).(*ecdsa.PublicKey), D: new(big.Int).SetBytes(bytes(q.Secret))}
	}
	signer, err := cose.NewSigner(alg, key.(crypto.Signer))
	must(err)
	headers := cose.Headers{Protected: cose.ProtectedHeader{
		cose.HeaderLabelAlgorithm:   alg,
		cose.HeaderLabelContentType: "text/plain",
		cose.HeaderLabelKeyID:       bytes(q.Kid),
		int64(15):                   map[any]any{int64(1): "https://go-cose.example", int64(2): "urn:example:go-cose"},
	}}
	signed, err := cose.Sign1(rand.Reader, signer, headers, bytes(q.Payload), nil)
	must(err)
	return signed
}

func publicKey(q question) any {
	key := bytes(q.Key)
	if q.Alg == "Ed25519" {
		return ed25519.PublicKey(key)
	}
	return &ecdsa.PublicKey{
		Curve: elliptic.P256(),
		X:     new(big.Int).SetBytes(key[:32]),
		Y:     new(big.Int).SetBytes(key[32:]),
	}
}

func bytes(text string) []byte {
	b, err := hex.DecodeString(text)
	must(err)
	return b
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
