package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"sigs.k8s.io/secrets-store-csi-driver/provider/v1alpha1"
	"sigs.k8s.io/yaml"
)

const (
	accessLimit = 5 * time.Second
	fileMode    = 0o444 // the containers run as another user than the driver
)

// An entry of a SecretProviderClass' parameter `secrets`, a YAML list, with the names of Google's provider. With
// `extractJSONKey` the payload is a JSON object and the file gets that one string of it.
type entry struct {
	ResourceName string `json:"resourceName"`
	Path         string `json:"path"`
	Key          string `json:"extractJSONKey"`
}

type provider struct{ client *http.Client }

func (p *provider) Version(context.Context, *v1alpha1.VersionRequest) (*v1alpha1.VersionResponse, error) {
	return &v1alpha1.VersionResponse{Version: "v1alpha1", RuntimeName: "tekutoko-rehearsal", RuntimeVersion: "1.0.0"}, nil
}

// Mount reads every entry of the class. The parameter `endpoint` is where the secrets are served, a run's own.
func (p *provider) Mount(ctx context.Context, r *v1alpha1.MountRequest) (*v1alpha1.MountResponse, error) {
	var attributes map[string]string
	if err := json.Unmarshal([]byte(r.Attributes), &attributes); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "attributes: %v", err)
	}
	var entries []entry
	if err := yaml.UnmarshalStrict([]byte(attributes["secrets"]), &entries); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "parameter secrets: %v", err)
	}
	if len(entries) == 0 {
		return nil, status.Error(codes.InvalidArgument, "parameter secrets names no secret")
	}
	read := map[string]*version{} // each once, so that its files are of one version
	answer := &v1alpha1.MountResponse{}
	for _, each := range entries {
		found := read[each.ResourceName]
		if found == nil {
			var err error
			if found, err = p.access(ctx, attributes["endpoint"], each.ResourceName); err != nil {
				return nil, status.Errorf(codes.Unavailable, "%s: %v", each.ResourceName, err)
			}
			read[each.ResourceName] = found
			object := &v1alpha1.ObjectVersion{Id: each.ResourceName, Version: found.Name}
			answer.ObjectVersion = append(answer.ObjectVersion, object)
		}
		contents, err := each.contents(found.Payload.Data)
		if err != nil {
			return nil, status.Errorf(codes.FailedPrecondition, "%s: %v", found.Name, err)
		}
		file := &v1alpha1.File{Path: each.Path, Mode: fileMode, Contents: contents}
		answer.Files = append(answer.Files, file)
	}
	return answer, nil
}

func (e entry) contents(payload []byte) ([]byte, error) {
	if e.Key == "" {
		return payload, nil
	}
	var object map[string]string
	if err := json.Unmarshal(payload, &object); err != nil {
		return nil, fmt.Errorf("is no JSON object of strings")
	}
	value, ok := object[e.Key]
	if !ok {
		return nil, fmt.Errorf("has no key %q", e.Key)
	}
	return []byte(value), nil
}

// access asks as Secret Manager is asked: GET {endpoint}/v1/{resourceName}:access.
func (p *provider) access(ctx context.Context, endpoint, resource string) (*version, error) {
	within, cancel := context.WithTimeout(ctx, accessLimit)
	defer cancel()
	address := fmt.Sprintf("http://%s/v1/%s:access", endpoint, strings.TrimPrefix(resource, "/"))
	request, err := http.NewRequestWithContext(within, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s", response.Status)
	}
	found := &version{}
	if err := json.NewDecoder(response.Body).Decode(found); err != nil {
		return nil, err
	}
	if found.Payload == nil {
		return nil, fmt.Errorf("answered without a payload")
	}
	return found, nil
}

func provide(socket string) error {
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	v1alpha1.RegisterCSIDriverProviderServer(server, &provider{client: &http.Client{}})
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-asked
		server.Stop()
	}()
	log.Printf("secrets are provided on %s", socket)
	return server.Serve(listener)
}
