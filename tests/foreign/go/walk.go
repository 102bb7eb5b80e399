package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Walk is the HTTP form of a row of walks.
type Walk struct {
	ID                  string     `json:"id"`
	UserID              string     `json:"user_id"`
	Title               string     `json:"title"`
	Description         string     `json:"description"`
	StartTime           *time.Time `json:"start_time"`
	EndTime             *time.Time `json:"end_time"`
	PausedAt            *time.Time `json:"paused_at"`
	TotalDistance       float64    `json:"total_distance"`
	TotalSteps          int64      `json:"total_steps"`
	PolylineData        *string    `json:"polyline_data"`
	ThumbnailImageURL   *string    `json:"thumbnail_image_url"`
	Status              string     `json:"status"`
	TotalPausedDuration float64    `json:"total_paused_duration"`
	CreatedAt           time.Time  `json:"created_at"`
	UpdatedAt           time.Time  `json:"updated_at"`
}

// WalkDetail is a walk with its locations, by sequence number.
type WalkDetail struct {
	Walk
	Locations []Location `json:"locations"`
}

// Location is one point. Pointers tell zero from absent: 0.0 is a valid latitude.
type Location struct {
	SequenceNumber     *int64     `json:"sequence_number"`
	Latitude           *float64   `json:"latitude"`
	Longitude          *float64   `json:"longitude"`
	Altitude           *float64   `json:"altitude"`
	Timestamp          *time.Time `json:"timestamp"`
	HorizontalAccuracy *float64   `json:"horizontal_accuracy"`
	VerticalAccuracy   *float64   `json:"vertical_accuracy"`
	Speed              *float64   `json:"speed"`
	Course             *float64   `json:"course"`
}

// Patch is the body of POST and PUT: what is nil stays as it is.
type Patch struct {
	Title               *string    `json:"title"`
	Description         *string    `json:"description"`
	StartTime           *time.Time `json:"start_time"`
	EndTime             *time.Time `json:"end_time"`
	PausedAt            *time.Time `json:"paused_at"`
	TotalDistance       *float64   `json:"total_distance"`
	TotalSteps          *int64     `json:"total_steps"`
	PolylineData        *string    `json:"polyline_data"`
	ThumbnailImageURL   *string    `json:"thumbnail_image_url"`
	Status              *string    `json:"status"`
	TotalPausedDuration *float64   `json:"total_paused_duration"`
	Locations           []Location `json:"locations"`
}

var statuses = map[string]bool{"not_started": true, "in_progress": true, "paused": true, "completed": true}

// decode reads a body that must be one JSON object.
func decode(body []byte, into any) error {
	if trimmed := bytes.TrimSpace(body); len(trimmed) == 0 || trimmed[0] != '{' {
		return errors.New("the body must be a JSON object")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the body cannot be read: %w", err)
	}
	return nil
}

// check says what the contract forbids of a patch; what needs the row itself, PostgreSQL's own checks say.
func (p *Patch) check(create bool) error {
	if create && (p.Title == nil || *p.Title == "") {
		return errors.New("title is required")
	}
	texts := []struct {
		name  string
		value *string
		least int
		most  int
	}{
		{"title", p.Title, 1, 255},
		{"description", p.Description, 0, 1000},
		{"thumbnail_image_url", p.ThumbnailImageURL, 0, 500},
		{"polyline_data", p.PolylineData, 0, 1 << 20},
	}
	for _, text := range texts {
		if text.value == nil {
			continue
		}
		if text.name == "title" && fault("title_256_accepted") && length(*text.value) > 255 {
			*text.value = string([]rune(*text.value)[:255])
		}
		if n := length(*text.value); n < text.least || n > text.most {
			return fmt.Errorf("%s must have %d to %d characters", text.name, text.least, text.most)
		}
		if strings.ContainsRune(*text.value, 0) {
			return fmt.Errorf("%s must not hold U+0000", text.name)
		}
	}
	if p.Status != nil && !statuses[*p.Status] {
		return errors.New("status must be not_started, in_progress, paused or completed")
	}
	for i := range p.Locations {
		if err := p.Locations[i].check(); err != nil {
			return fmt.Errorf("locations[%d]: %w", i, err)
		}
	}
	return nil
}

func length(text string) int {
	if fault("title_in_bytes") {
		return len(text)
	}
	return utf8.RuneCountInString(text)
}

func (l *Location) check() error {
	zeroIsAbsent := fault("zero_latitude_refused") && l.Latitude != nil && *l.Latitude == 0
	if l.Latitude == nil || l.Longitude == nil || zeroIsAbsent {
		return errors.New("latitude and longitude are required")
	}
	if l.Timestamp == nil || l.SequenceNumber == nil || *l.SequenceNumber < 0 {
		return errors.New("timestamp and sequence_number are required")
	}
	if *l.Latitude < -90 || *l.Latitude > 90 {
		if !fault("latitude_91_accepted") {
			return errors.New("latitude must be -90 to 90")
		}
		*l.Latitude = max(-90, min(90, *l.Latitude))
	}
	if *l.Longitude < -180 || *l.Longitude > 180 {
		return errors.New("longitude must be -180 to 180")
	}
	return nil
}
