package main

import (
	"io"
	"log/slog"
	"os"
	"strings"
)

// newLogger writes what Cloud Logging reads: severity, message and timestamp, one JSON object a line.
func newLogger(out io.Writer) *slog.Logger {
	level := slog.LevelInfo
	_ = level.UnmarshalText([]byte(os.Getenv("LOG_LEVEL")))
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: named}
	var handler slog.Handler = slog.NewJSONHandler(out, options)
	if strings.EqualFold(os.Getenv("LOG_FORMAT"), "text") || fault("log_text") {
		handler = slog.NewTextHandler(out, options)
	}
	return slog.New(handler).With("pod_name", os.Getenv("POD_NAME"), "service", "walks-go")
}

func named(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return attr
	}
	switch attr.Key {
	case slog.TimeKey:
		attr.Key = "timestamp"
	case slog.MessageKey:
		attr.Key = "message"
	case slog.LevelKey:
		word := attr.Value.String()
		if word == "WARN" {
			word = "WARNING"
		}
		return slog.String("severity", word)
	}
	return attr
}
