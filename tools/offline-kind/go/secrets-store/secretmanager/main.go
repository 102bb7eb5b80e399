// A local stand-in for Google Secret Manager, and the provider of the Secrets Store CSI driver that reads from it.
//
//	secretmanager serve ADDRESS    the secrets, in memory, by Secret Manager's REST paths (v1)
//	secretmanager provide SOCKET   the provider (v1alpha1.CSIDriverProvider) on a unix socket
package main

import (
	"log"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatalf("usage: %s serve ADDRESS | provide SOCKET", os.Args[0])
	}
	var err error
	switch os.Args[1] {
	case "serve":
		err = serve(os.Args[2])
	case "provide":
		err = provide(os.Args[2])
	default:
		log.Fatalf("no such command: %s", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}
