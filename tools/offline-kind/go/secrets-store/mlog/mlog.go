// Package mlog has the five names that the Secrets Store CSI driver uses of the logging module of this path, which not
// every module proxy serves. Ours: lines go to klog, and the flag -v alone sets the level.
package mlog

import (
	"context"

	"k8s.io/klog/v2"
)

// Format of the lines. Only text is written.
type Format string

const (
	FormatText Format = "text"
	FormatJSON Format = "json"
)

// Setup returns what is to be called at the end.
func Setup() func() { return klog.Flush }

// ValidateAndSetKlogLevelAndFormatGlobally leaves the level as the flag -v set it.
func ValidateAndSetKlogLevelAndFormatGlobally(context.Context, klog.Level, Format) error { return nil }

// Error writes a line.
func Error(message string, err error, pairs ...any) { klog.ErrorS(err, message, pairs...) }

// Fatal writes a line and ends the process with status 1.
func Fatal(err error) {
	klog.ErrorS(err, "fatal")
	klog.FlushAndExit(klog.ExitFlushTimeout, 1)
}
