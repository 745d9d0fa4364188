// Reads a JSON list of {folder, text} and prints, for each, the server blocks of CoreDNS's own parser or its error.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/coredns/caddy/caddyfile"
)

type request struct{ Folder, Text string }

type block struct {
	Keys       []string
	Directives map[string][]string
}

type answer struct {
	Error  string
	Blocks []block
}

func main() {
	log.SetOutput(io.Discard)
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		panic(err)
	}
	answers := make([]answer, 0, len(requests))
	for _, asked := range requests {
		found, err := caddyfile.Parse(filepath.Join(asked.Folder, "Corefile"), strings.NewReader(asked.Text), nil)
		if err != nil {
			answers = append(answers, answer{Error: err.Error()})
			continue
		}
		read := answer{Blocks: []block{}}
		for _, one := range found {
			words := map[string][]string{}
			for name, tokens := range one.Tokens {
				for _, token := range tokens {
					words[name] = append(words[name], token.Text)
				}
			}
			read.Blocks = append(read.Blocks, block{Keys: one.Keys, Directives: words})
		}
		answers = append(answers, read)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}
