// Command walks is a walk API as another team may have written it: Go, PostgreSQL, and Google's generated Firestore client
// for the dual write. It knows the environment contract and nothing of the rehearsal. FAULTS plants deviations (faults.go).
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The environment contract gives ten seconds from SIGTERM to the end.
const (
	requestsEndWithin = 7 * time.Second
	mirrorEndsWithin  = 2 * time.Second
)

func main() {
	slog.SetDefault(newLogger(os.Stdout))
	if err := run(); err != nil {
		slog.Error("the server ends", "error", err.Error())
		os.Exit(1)
	}
	if fault("exit_1") {
		os.Exit(1)
	}
}

func run() error {
	if err := checkFaults(); err != nil {
		return err
	}
	project := os.Getenv("FIREBASE_PROJECT_ID")
	if os.Getenv("FIREBASE_AUTH_EMULATOR_HOST") == "" {
		return errors.New("this build checks tokens of the Auth emulator only: set FIREBASE_AUTH_EMULATOR_HOST")
	}
	stop, stopped := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stopped()
	store, err := openStore(stop)
	if err != nil {
		return err
	}
	defer store.close()
	mirror, err := newMirror(project, store)
	if err != nil {
		return err
	}
	api := &api{
		store:   store,
		mirror:  mirror,
		photos:  newPhotos(os.Getenv("STORAGE_EMULATOR_HOST"), project),
		tokens:  tokens{project: project},
		limiter: newLimiter(100, time.Minute),
		metrics: newMetrics(mirror),
	}
	return serve(stop, api, mirror)
}

func serve(stop context.Context, api *api, mirror *mirror) error {
	host := cmp.Or(os.Getenv("HOST"), "127.0.0.1") // the image sets it: a container needs every interface
	server := &http.Server{
		Addr:              net.JoinHostPort(host, os.Getenv("PORT")),
		Handler:           api.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 2)
	go func() { failed <- server.ListenAndServe() }()
	if port := os.Getenv("METRICS_PORT"); port != "" && port != "0" && !fault("metrics_absent") {
		go func() { failed <- http.ListenAndServe(net.JoinHostPort(host, port), api.metrics.handler()) }()
	}
	slog.Info("serving", "addr", server.Addr)
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-stop.Done():
	}
	return shutDown(server, api, mirror)
}

func shutDown(server *http.Server, api *api, mirror *mirror) error {
	slog.Info("stopping")
	if fault("sigterm_ignored") {
		select {}
	}
	if fault("requests_cut") {
		return server.Close()
	}
	deadline, cancel := context.WithTimeout(context.Background(), requestsEndWithin)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		slog.Warn("requests were cut", "error", err.Error())
	}
	api.photos.wait(mirrorEndsWithin / 2)
	mirror.drain(mirrorEndsWithin)
	return nil
}
