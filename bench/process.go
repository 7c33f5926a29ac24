package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc on every Linux that people run.
const tick = time.Second / 100

// memory of a process. Zero where there is no /proc.
type memory struct{ resident, peak int64 } // bytes

func memoryOf(pid int) memory {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return memory{resident: statusBytes(status, "VmRSS:"), peak: statusBytes(status, "VmHWM:")}
}

// statusBytes reads a line such as "VmRSS:	  123 kB".
func statusBytes(status []byte, name string) int64 {
	for line := range bytes.Lines(status) {
		if f := strings.Fields(string(line)); len(f) == 3 && f[0] == name && f[2] == "kB" {
			kb, _ := strconv.ParseInt(f[1], 10, 64) // 0 = not known
			return kb << 10
		}
	}
	return 0
}

// cpuOf gives the CPU time that a process has used so far. Zero where there is no /proc.
func cpuOf(pid int) time.Duration {
	s, _ := readStat(pid)
	return s.self
}

// cpuOfTree gives the CPU time of a process, its children and those that have ended already, as PostgreSQL has them.
func cpuOfTree(pid int) time.Duration {
	root, _ := readStat(pid)
	total := root.self + root.ended
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			continue
		}
		if s, ok := readStat(child); ok && s.parent == pid {
			total += s.self + s.ended
		}
	}
	return total
}

// parentOf gives the process that started another; 0 = not known.
func parentOf(pid int) int {
	s, _ := readStat(pid)
	return s.parent
}

type stat struct {
	parent      int
	self, ended time.Duration // CPU time: its own, and that of children that it has waited for
}

func readStat(pid int) (stat, bool) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	return parseStat(string(line))
}

// parseStat reads a line of /proc/PID/stat: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func parseStat(line string) (stat, bool) {
	// The name of the program, in brackets, may hold blanks and brackets.
	f := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(f) < 15 {
		return stat{}, false
	}
	n := func(field int) int64 { // numbered as in the manual, which begins at 1 with the process id
		v, _ := strconv.ParseInt(f[field-3], 10, 64)
		return v
	}
	return stat{
		parent: int(n(4)), self: time.Duration(n(14)+n(15)) * tick, ended: time.Duration(n(16)+n(17)) * tick,
	}, true
}
