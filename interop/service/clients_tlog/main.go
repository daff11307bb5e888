// Command clients_tlog crawls a Counterfoil service as anybody who watches a transparency log would: over /tlog, with the
// packages note and tlog of Go's checksum database and with torchwood, which share no code with Counterfoil. It remembers in a
// folder what it saw, and holds the service to it the next time.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// timeLimit is for a whole crawl; torchwood waits longer and longer for a server that answers errors.
const timeLimit = 60 * time.Second

func main() {
	url := flag.String("url", "", "the service, such as http://127.0.0.1:7411")
	key := flag.String("key", "", "the log's verifier key")
	folder := flag.String("folder", "", "where what was seen is remembered")
	token := flag.String("token", "", "a token that may ask for proofs")
	seed := flag.Uint64("seed", 1, "of the random choices")
	name := flag.String("name", "crawl", "how the lines of this crawl begin")
	flag.Parse()

	verifier, err := note.NewVerifier(strings.TrimSpace(*key))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	crawl := &crawl{
		site:     &site{ctx: ctx, url: *url, token: *token, authenticated: map[tlog.Tile][]byte{}},
		memory:   &memory{folder: *folder},
		verifier: verifier,
		random:   rand.New(rand.NewPCG(*seed, 0)),
		name:     *name,
		seen:     map[tlog.Tile][]byte{},
	}
	crawl.run()
	if crawl.failed > 0 {
		os.Exit(1)
	}
}
