package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// known are the deviations that FAULTS may plant, by name and separated by commas; each is one line where it acts.
// tests/foreign/deviations.py says what has to be found of each.
var known = []string{
	"applied_twice", "bad_id_500", "create_200", "delete_200", "document_lower_case", "document_stays",
	"errors_without_code", "exit_1", "expired_accepted", "field_missing", "foreign_403", "foreign_readable",
	"foreign_token_accepted", "health_asks_database", "last_location_lost", "latitude_91_accepted", "list_of_all",
	"locations_as_inserted", "log_text", "metrics_absent", "nil_as_null", "no_rate_limit", "no_retry_after", "nul_500",
	"oldest_first", "page_ignored", "photos_of_all_removed", "photos_stay",
	"put_overwrites_foreign", "ready_without_database", "requests_cut",
	"sigterm_ignored", "snake_case_locations", "title_256_accepted", "title_in_bytes", "times_without_zone", "token_logged",
	"total_count_of_all", "unknown_speed_0", "updated_at_frozen", "upper_case_unknown", "upsert_404", "walks_missing",
	"zero_latitude_refused", "zero_time_for_null",
}

var planted = strings.FieldsFunc(os.Getenv("FAULTS"), func(letter rune) bool { return letter == ',' })

func fault(name string) bool { return slices.Contains(planted, name) }

func checkFaults() error {
	for _, name := range planted {
		if !slices.Contains(known, name) {
			return fmt.Errorf("FAULTS: there is no %q", name)
		}
	}
	return nil
}

var (
	zoned     = regexp.MustCompile(`(T\d\d:\d\d:\d\d(?:\.\d+)?)Z"`)
	nullTime  = regexp.MustCompile(`"(start_time|end_time|paused_at)":null`)
	oneOfMany = regexp.MustCompile(`"total_paused_duration":[^,}]*,`)
)

// tampered is an answer with the planted deviations of bodies.
func tampered(text []byte) []byte {
	if fault("times_without_zone") {
		text = zoned.ReplaceAll(text, []byte(`$1"`))
	}
	if fault("zero_time_for_null") {
		text = nullTime.ReplaceAll(text, []byte(`"$1":"0001-01-01T00:00:00Z"`))
	}
	if fault("field_missing") {
		text = oneOfMany.ReplaceAll(text, nil)
	}
	return text
}
