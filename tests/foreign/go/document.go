package main

import (
	"strings"
	"time"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type value = firestorepb.Value

func text(held string) *value {
	return &value{ValueType: &firestorepb.Value_StringValue{StringValue: held}}
}

func integer(held int64) *value {
	return &value{ValueType: &firestorepb.Value_IntegerValue{IntegerValue: held}}
}

func double(held float64) *value {
	return &value{ValueType: &firestorepb.Value_DoubleValue{DoubleValue: held}}
}

func moment(held time.Time) *value {
	return &value{ValueType: &firestorepb.Value_TimestampValue{TimestampValue: timestamppb.New(held)}}
}

// fields is the document that the app reads: snake case, but for the keys of a location; what is nil is absent.
func fields(walk *WalkDetail) map[string]*value {
	held := map[string]*value{
		"id":                    text(strings.ToUpper(walk.ID)),
		"title":                 text(walk.Title),
		"description":           text(walk.Description),
		"total_distance":        double(walk.TotalDistance),
		"total_steps":           integer(walk.TotalSteps),
		"status":                text(walk.Status),
		"total_paused_duration": double(walk.TotalPausedDuration),
		"created_at":            moment(walk.CreatedAt),
		"updated_at":            moment(walk.UpdatedAt),
	}
	times := map[string]*time.Time{"start_time": walk.StartTime, "end_time": walk.EndTime, "paused_at": walk.PausedAt}
	for name, at := range times {
		if at != nil {
			held[name] = moment(*at)
		} else if fault("nil_as_null") {
			held[name] = &value{ValueType: &firestorepb.Value_NullValue{}}
		}
	}
	if walk.UserID != "" {
		held["user_id"] = text(walk.UserID)
	}
	if walk.PolylineData != nil {
		held["polyline_data"] = text(*walk.PolylineData)
	}
	if walk.ThumbnailImageURL != nil {
		held["thumbnail_image_url"] = text(*walk.ThumbnailImageURL)
	}
	points := make([]*value, 0, len(walk.Locations))
	for _, each := range walk.Locations {
		point := &firestorepb.MapValue{Fields: point(each)}
		points = append(points, &value{ValueType: &firestorepb.Value_MapValue{MapValue: point}})
	}
	held["location_data"] = &value{ValueType: &firestorepb.Value_ArrayValue{ArrayValue: &firestorepb.ArrayValue{Values: points}}}
	return held
}

func point(l Location) map[string]*value {
	horizontal, vertical, unknown := "horizontalAccuracy", "verticalAccuracy", -1.0
	if fault("snake_case_locations") {
		horizontal, vertical = "horizontal_accuracy", "vertical_accuracy"
	}
	if fault("unknown_speed_0") {
		unknown = 0
	}
	held := map[string]*value{
		"latitude": double(*l.Latitude), "longitude": double(*l.Longitude), "timestamp": moment(*l.Timestamp),
		"speed": double(unknown), "course": double(unknown),
	}
	known := map[string]*float64{
		"altitude": l.Altitude, horizontal: l.HorizontalAccuracy, vertical: l.VerticalAccuracy, "speed": l.Speed, "course": l.Course,
	}
	for name, value := range known {
		if value != nil {
			held[name] = double(*value)
		}
	}
	return held
}
