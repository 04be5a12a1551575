package podman

import (
	"net/url"
	"strconv"

	runspec "github.com/opencontainers/runtime-spec/specs-go"
)

// containerSpec is the body of a creation: the part of podman's SpecGenerator
// that this adapter has something to say about. A test holds it to the real one.
type containerSpec struct {
	Name     string            `json:"name"`
	Hostname string            `json:"hostname"`
	Labels   map[string]string `json:"labels"`
	Image    string            `json:"image"`
	RawImage string            `json:"raw_image_name"`

	Entrypoint []string `json:"entrypoint"`
	Command    []string `json:"command"`
	User       string   `json:"user"`
	WorkDir    string   `json:"work_dir"`
	Umask      string   `json:"umask"`
	Systemd    string   `json:"systemd"`
	Init       bool     `json:"init"`
	Terminal   bool     `json:"terminal"`
	Stdin      bool     `json:"stdin"`
	EnvHost    bool     `json:"env_host"`
	HTTPProxy  bool     `json:"httpproxy"`
	Passwd     bool     `json:"manage_password"`

	PidNS           namespace `json:"pidns"`
	IpcNS           namespace `json:"ipcns"`
	UtsNS           namespace `json:"utsns"`
	CgroupNS        namespace `json:"cgroupns"`
	UserNS          namespace `json:"userns"`
	Privileged      bool      `json:"privileged"`
	NoNewPrivileges bool      `json:"no_new_privileges"`
	CapDrop         []string  `json:"cap_drop"`
	CapAdd          []string  `json:"cap_add"`
	ReadOnlyRoot    bool      `json:"read_only_filesystem"`

	Mounts       []runspec.Mount         `json:"mounts"`
	ImageVolumes string                  `json:"image_volume_mode"`
	Resources    *runspec.LinuxResources `json:"resource_limits"`

	NetNS          namespace           `json:"netns"`
	NetworkOptions map[string][]string `json:"network_options,omitempty"`
	Ports          []portMapping       `json:"portmappings,omitempty"`
	UseImageHosts  bool                `json:"use_image_hosts"`

	Remove        bool        `json:"remove"`
	RemoveImage   bool        `json:"removeImage"`
	StopTimeout   uint        `json:"stop_timeout"`
	RestartPolicy string      `json:"restart_policy"`
	Health        healthCheck `json:"healthconfig"`
	Log           logConfig   `json:"log_configuration"`
}

type namespace struct {
	Mode string `json:"nsmode"`
}

type portMapping struct {
	HostIP        string `json:"host_ip"`
	HostPort      uint16 `json:"host_port"`
	ContainerPort uint16 `json:"container_port"`
	Protocol      string `json:"protocol"`
}

type healthCheck struct {
	Test []string
}

type logConfig struct {
	Driver string `json:"driver"`
	Path   string `json:"path"`
	Size   int64  `json:"size"`
}

// commitQuery is what a commit is asked for. A test holds it to podman's own
// parameters.
type commitQuery struct {
	repo, tag string
	pause     bool
}

func (q commitQuery) values(container string) url.Values {
	return url.Values{
		"container": {container}, "repo": {q.repo}, "tag": {q.tag}, "pause": {strconv.FormatBool(q.pause)},
	}
}
