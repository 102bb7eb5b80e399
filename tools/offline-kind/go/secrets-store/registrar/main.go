// Registers a CSI driver with the kubelet of its node (kubelet's pluginregistration/v1): kubelet finds the socket in its
// plugins_registry and asks what it is; the answer is the driver's own name and where kubelet reaches it.
//
// Arguments: the driver's socket here, its path on the node, and the folder that kubelet watches.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const driverLimit = 60 * time.Second

type plugin struct {
	name     string
	endpoint string
	refused  chan error
}

func (p *plugin) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              p.name,
		Endpoint:          p.endpoint,
		SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (p *plugin) NotifyRegistrationStatus(
	_ context.Context, status *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if status.PluginRegistered {
		log.Printf("kubelet has registered %s", p.name)
	} else {
		p.refused <- errors.New(status.Error)
	}
	return &registration.RegistrationStatusResponse{}, nil
}

func main() {
	if len(os.Args) != 4 {
		log.Fatalf("usage: %s SOCKET SOCKET_ON_NODE REGISTRY", os.Args[0])
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(socket, onNode, registry string) error {
	name, err := driverName(socket)
	if err != nil {
		return fmt.Errorf("the driver at %s does not answer: %w", socket, err)
	}
	path := filepath.Join(registry, name+"-reg.sock")
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	defer listener.Close() // which removes the socket: kubelet then forgets the driver
	p := &plugin{name: name, endpoint: onNode, refused: make(chan error, 1)}
	server := grpc.NewServer()
	registration.RegisterRegistrationServer(server, p)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	select {
	case <-asked:
		server.Stop()
		return nil
	case err := <-p.refused:
		server.Stop()
		return fmt.Errorf("kubelet refused %s: %w", name, err)
	case err := <-ended:
		return err
	}
}

// driverName waits until the driver answers and returns its name.
func driverName(socket string) (string, error) {
	within, cancel := context.WithTimeout(context.Background(), driverLimit)
	defer cancel()
	connection, err := grpc.DialContext(
		within, "unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithBlock(),
	)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	answer, err := csi.NewIdentityClient(connection).GetPluginInfo(within, &csi.GetPluginInfoRequest{})
	return answer.GetName(), err
}
