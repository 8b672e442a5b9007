// lite does for litewitness what its own administration tool would, if that could be built: it holds the key in an
// ssh-agent, and adds logs to the database.
//
//	lite agent SOCKET SEED-IN-HEX        prints the key's fingerprint and serves until it is killed
//	lite add DATABASE ORIGIN VKEY...
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func main() {
	switch {
	case len(os.Args) == 4 && os.Args[1] == "agent":
		serve(os.Args[2], os.Args[3])
	case len(os.Args) >= 5 && os.Args[1] == "add":
		add(os.Args[2], os.Args[3], os.Args[4:])
	default:
		log.Fatal("usage: lite agent SOCKET SEED | lite add DATABASE ORIGIN VKEY...")
	}
}

func serve(socket, seedHex string) {
	seed, err := hex.DecodeString(seedHex)
	if err != nil || len(seed) != ed25519.SeedSize {
		log.Fatal("want 64 hex digits of seed")
	}
	key := ed25519.NewKeyFromSeed(seed)
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: &key}); err != nil {
		log.Fatal(err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ssh.FingerprintSHA256(public))
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() { _ = agent.ServeAgent(keyring, connection) }()
	}
}

func add(database, origin string, vkeys []string) {
	db, err := sqlite.OpenConn(database, sqlite.OpenReadWrite)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	empty := sha256.Sum256(nil)
	run(db, "INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)",
		origin, base64.StdEncoding.EncodeToString(empty[:]))
	for _, vkey := range vkeys {
		run(db, "INSERT INTO key (origin, key) VALUES (?, ?)", origin, vkey)
	}
}

func run(db *sqlite.Conn, query string, args ...any) {
	if err := sqlitex.Execute(db, query, &sqlitex.ExecOptions{Args: args}); err != nil {
		log.Fatal(err)
	}
}
