package fingerprint

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seraihq/serai/api"
	cgroups "github.com/seraihq/serai/internal/cgroup"
)

const cpuDir = "/sys/devices/system/cpu/"

// assumedMHz is taken for a core whose frequency the kernel does not tell.
const assumedMHz = 1000

func cpu(cfg *Config, n *api.Node) error {
	model, mhz := cpuInfo()
	cores := onlineCores()
	if f, err := readInt(cpuDir + "cpu0/cpufreq/cpuinfo_max_freq"); err == nil && f > 0 {
		mhz = f / 1000
	}
	var problem error
	if mhz == 0 {
		mhz = assumedMHz
		problem = fmt.Errorf("the kernel does not tell the CPU's frequency: %d MHz is assumed; set client.cpu_total_compute", assumedMHz)
	}
	total := mhz * len(cores)
	if cfg.CPUTotalCompute > 0 {
		total, problem = cfg.CPUTotalCompute, nil
	}
	reservable, err := reservableCores(cfg, cores)
	problem = errors.Join(problem, err)
	usable := total - cfg.ReservedCPU
	if left, whole := UsableCores(cfg); cfg.ReservedCPU == 0 && !whole {
		usable = total * len(left) / len(cores)
	}
	a := n.Attributes
	if model != "" {
		a["cpu.modelname"] = model
	}
	a["cpu.frequency"] = strconv.Itoa(mhz)
	a["cpu.numcores"] = strconv.Itoa(len(cores))
	a["cpu.reservablecores"] = strconv.Itoa(len(reservable))
	a["cpu.totalcompute"] = strconv.Itoa(total)
	a["cpu.usablecompute"] = strconv.Itoa(max(0, usable))
	numa(a)
	n.NodeResources.Cpu = api.NodeCpuResources{
		CpuShares: int64(total), TotalCpuCores: uint16(len(cores)), ReservableCpuCores: reservable,
	}
	return problem
}

// onlineCores gives the cores that run.
func onlineCores() []uint16 {
	cores, err := coreList(cpuDir + "online")
	if err != nil || len(cores) == 0 {
		return firstCores(runtime.NumCPU())
	}
	return cores
}

// UsableCores gives the cores that this process may run on and that are not
// kept from tasks (reserved.cores); whole says whether that is all of them.
func UsableCores(cfg *Config) (cores []uint16, whole bool) {
	reserved, _ := cgroups.ParseCores(cfg.ReservedCores)
	all := onlineCores()
	cores = slices.DeleteFunc(slices.Clone(all), func(c uint16) bool { return slices.Contains(reserved, c) || !mayUse(c) })
	return cores, len(cores) == len(all)
}

// mayUse says whether this process may run on a core.
func mayUse(core uint16) bool {
	var set unix.CPUSet
	return unix.SchedGetaffinity(0, &set) != nil || set.IsSet(int(core))
}

// pinning says whether tasks can be kept to some cores here.
func pinning() bool {
	l, err := cgroups.Find()
	return err == nil && os.Geteuid() == 0 && l.Has("cpuset")
}

// reservableCores gives the cores that tasks may have for themselves.
func reservableCores(cfg *Config, cores []uint16) ([]uint16, error) {
	allowed := cores
	if cfg.ReservableCores != "" {
		list, err := cgroups.ParseCores(cfg.ReservableCores)
		if err != nil {
			return nil, fmt.Errorf("reservable_cores: %w", err)
		}
		allowed = list
	}
	reserved, err := cgroups.ParseCores(cfg.ReservedCores)
	if err != nil {
		return nil, fmt.Errorf("reserved.cores: %w", err)
	}
	taken := map[uint16]bool{}
	for _, c := range reserved {
		taken[c] = true
	}
	if !pinning() {
		if cfg.ReservableCores != "" {
			err = errors.New("reservable_cores: tasks cannot be kept to cores here: that takes root and the cpuset control group")
		}
		return nil, err
	}
	exists := map[uint16]bool{}
	for _, c := range cores {
		exists[c] = mayUse(c)
	}
	var out []uint16
	for _, c := range allowed {
		if exists[c] && !taken[c] {
			out = append(out, c)
		}
	}
	return out, nil
}

// cpuInfo gives the model's name, and the highest frequency of a core in MHz
// as the kernel sees it now; 0 when it does not tell.
func cpuInfo() (model string, mhz int) {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "", 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name":
			if model == "" {
				model = value
			}
		case "cpu MHz":
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				mhz = max(mhz, int(v))
			}
		}
	}
	return model, mhz
}

// numa tells which cores lie together.
func numa(a map[string]string) {
	nodes, err := coreList("/sys/devices/system/node/online")
	if err != nil {
		return
	}
	a["numa.node.count"] = strconv.Itoa(len(nodes))
	for _, node := range nodes {
		b, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/node/node%d/cpulist", node))
		if err == nil {
			a[fmt.Sprintf("numa.node%d.cores", node)] = strings.TrimSpace(string(b))
		}
	}
}

func coreList(path string) ([]uint16, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return cgroups.ParseCores(strings.TrimSpace(string(b)))
}

func firstCores(n int) []uint16 {
	out := make([]uint16, n)
	for i := range out {
		out[i] = uint16(i)
	}
	return out
}

func readInt(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}
