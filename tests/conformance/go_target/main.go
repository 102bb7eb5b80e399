// A target in another language that keeps the environment contract and has no walks yet: /health, /ready, else 404.
package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// databaseAnswers sends PostgreSQL's SSLRequest, which it answers with one byte.
func databaseAnswers() bool {
	address := net.JoinHostPort(os.Getenv("DB_HOST"), os.Getenv("DB_PORT"))
	connection, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(time.Second))
	connection.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47})
	_, err = io.ReadFull(connection, make([]byte, 1))
	return err == nil
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {})
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !databaseAnswers() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: mux}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		<-stop
		deadline, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		server.Shutdown(deadline)
		close(done)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	<-done
}
