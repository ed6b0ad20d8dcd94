//! Who else used the processors while we measured.
//!
//! The load average is no evidence: it remembers the build that came just before. This reads what the kernel charged
//! between two moments: all processors' busy time and steal (`/proc/stat`), and pressure (`/proc/pressure/cpu`). What
//! the lane and the supervisor used themselves is taken off; the rest is others'.

use crate::journal::Busy;

/// The grain of `/proc/stat` and `/proc/PID/stat`: 100 Hz on every architecture that Linux shows to programs.
const TICK_NS: u64 = 10_000_000;

/// What the kernel has charged so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// Busy time over all processors, without steal, in nanoseconds.
    busy_ns: u64,
    /// Time given to other guests, in nanoseconds.
    steal_ns: u64,
    /// Time some task waited for a processor, in nanoseconds.
    pressure_ns: Option<u64>,
    /// Processor time of the lane and of the supervisor, in nanoseconds.
    own_ns: u64,
    /// When, on the supervisor's clock.
    at: std::time::Instant,
}

impl Reading {
    /// Reads the counters; nothing on a kernel without `/proc/stat`. `own_ns` is the lane's and the supervisor's time.
    pub(super) fn take(own_ns: u64) -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let (busy_ns, steal_ns) = parse_stat(&stat, rustix::param::clock_ticks_per_second())?;
        let pressure_ns = std::fs::read_to_string("/proc/pressure/cpu").ok().and_then(|text| parse_pressure(&text));
        Some(Self { busy_ns, steal_ns, pressure_ns, own_ns, at: std::time::Instant::now() })
    }

    /// How long ago it was taken.
    pub(super) fn age(&self) -> std::time::Duration {
        self.at.elapsed()
    }

    /// What happened between `self` and the later `end`.
    pub(super) fn until(&self, end: &Self, cores: u32) -> Busy {
        let busy_ns = end.busy_ns.saturating_sub(self.busy_ns);
        let own_ns = end.own_ns.saturating_sub(self.own_ns);
        // The kernel counts whole ticks, each charged to whoever ran at its end: a window's count may be off by one on
        // every processor, which in a short window would be more than the window itself.
        let unresolved_ns = u64::from(cores).saturating_mul(TICK_NS);
        let pressure = self.pressure_ns.zip(end.pressure_ns).map(|(a, b)| b.saturating_sub(a) / 1_000_000);
        Busy {
            window_ms: end.at.saturating_duration_since(self.at).as_millis() as u64,
            others_ms: busy_ns.saturating_sub(own_ns).saturating_sub(unresolved_ns) / 1_000_000,
            steal_ms: end.steal_ns.saturating_sub(self.steal_ns) / 1_000_000,
            pressure_ms: pressure,
            own_ms: Some(own_ns / 1_000_000),
            warmup_ms: None,
            cores,
        }
    }
}

/// Busy time and steal from the `cpu` line of `/proc/stat` (proc_stat(5)); guest time is contained in user time.
fn parse_stat(stat: &str, ticks_per_second: u64) -> Option<(u64, u64)> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u64> = line.split_ascii_whitespace().skip(1).map_while(|word| word.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else { return None };
    let tick_ns = 1_000_000_000 / ticks_per_second.max(1);
    let busy = [user, nice, system, irq, softirq].into_iter().fold(0_u64, u64::saturating_add);
    Some((busy.saturating_mul(tick_ns), steal.saturating_mul(tick_ns)))
}

/// The `some` total of `/proc/pressure/cpu`, which counts microseconds.
fn parse_pressure(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("some "))?;
    let total: u64 = line.rsplit_once("total=")?.1.trim().parse().ok()?;
    total.checked_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_leaves_idle_iowait_and_guest_out() {
        let stat = "cpu  100 10 50 9000 700 3 2 40 60 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(parse_stat(stat, 100), Some((1_650_000_000, 400_000_000)));
    }

    #[test]
    fn a_kernel_that_says_nothing_gives_no_reading() {
        assert_eq!(parse_stat("", 100), None);
        assert_eq!(parse_stat("cpu  1 2 3\n", 100), None);
        assert_eq!(parse_pressure("full avg10=0.00 total=1\n"), None);
        assert_eq!(parse_pressure("some avg10=0.18 avg60=0.05 avg300=0.27 total=3293228\n"), Some(3_293_228_000));
    }

    #[test]
    fn what_lane_and_supervisor_used_is_not_others() {
        let at = std::time::Instant::now();
        let start = Reading { busy_ns: 0, steal_ns: 0, pressure_ns: None, own_ns: 0, at };
        let end = Reading {
            busy_ns: 3_000_000_000,
            steal_ns: 200_000_000,
            pressure_ns: None,
            own_ns: 2_500_000_000,
            at: at + std::time::Duration::from_secs(2),
        };
        let busy = start.until(&end, 2);
        assert_eq!((busy.window_ms, busy.others_ms, busy.steal_ms), (2_000, 480, 200));
        assert_eq!(busy.own_ms, Some(2_500));
    }

    #[test]
    fn who_waited_longer_than_we_filled_the_processors_waited_for_others_or_a_quota() {
        let at = std::time::Instant::now();
        let start = Reading { busy_ns: 0, steal_ns: 0, pressure_ns: Some(0), own_ns: 0, at };
        let after = |own_ns, pressure_ns| {
            let at = at + std::time::Duration::from_secs(2);
            start.until(&Reading { busy_ns: own_ns, own_ns, pressure_ns, at, ..start }, 2).unexplained_pressure_ms()
        };
        // Our own threads queue behind each other on both processors.
        assert_eq!(after(4_000_000_000, Some(1_900_000_000)), Some(0));
        // Both processors idle for three quarters of the time, and we wait: a quota.
        assert_eq!(after(1_000_000_000, Some(1_500_000_000)), Some(1_000));
        assert_eq!(after(1_000_000_000, None), None);
    }

    #[test]
    fn a_window_shorter_than_the_counters_grain_shows_no_others() {
        let at = std::time::Instant::now();
        let start = Reading { busy_ns: 0, steal_ns: 0, pressure_ns: None, own_ns: 0, at };
        let end = Reading { busy_ns: 20_000_000, at: at + std::time::Duration::from_millis(5), ..start };
        assert_eq!(start.until(&end, 2).others_ms, 0);
    }
}
