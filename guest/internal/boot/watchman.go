package boot

import (
	"fmt"
	"os"
	"sort"
	"strconv"
)

// watchmanSlack is how much later than asked the watchman may wake, in
// nanoseconds: then it wakes with the kernel's own ticks.
const watchmanSlack = "10000000"

// slowWatchman makes the Go runtime's watchman, its second thread, look less
// often. It looks every 20 microseconds while goroutines run, which an emulated
// processor spends a third of its time on.
func slowWatchman() error {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	var threads []int
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			return err
		}
		threads = append(threads, id)
	}
	if len(threads) < 2 {
		return fmt.Errorf("the runtime has %d threads", len(threads))
	}
	sort.Ints(threads)
	return os.WriteFile(fmt.Sprintf("/proc/%d/timerslack_ns", threads[1]), []byte(watchmanSlack), 0)
}
