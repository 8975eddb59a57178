//! What the system tells of this process, as Prometheus' own clients tell it of theirs (`process_*`). On Linux; elsewhere
//! nothing is known.

use std::fs;

use super::exposition::Exposition;

/// What times are counted in (`USER_HZ`; time(7)): whatever the kernel's own clock, programs are told of hundredths.
const TICKS_A_SECOND: f64 = 100.0;

/// What the system tells of this process.
#[derive(Debug)]
pub struct Process {
    /// When it was started, in seconds since 1970.
    started_at: Option<f64>,
}

impl Default for Process {
    /// Looks up when it was started, which stays as it is.
    fn default() -> Process {
        let ticks = Stat::read().map(|stat| stat.started_ticks);
        let boot_s = fs::read_to_string("/proc/stat").ok().and_then(|text| value_of(&text, "btime "));
        let started_at = ticks.zip(boot_s).map(|(ticks, boot_s)| boot_s + ticks / TICKS_A_SECOND);
        Process { started_at }
    }
}

impl Process {
    /// Writes what the system tells now.
    pub fn write(&self, out: &mut Exposition) {
        let stat = Stat::read();
        if let Some(stat) = &stat {
            let seconds = stat.cpu_ticks / TICKS_A_SECOND;
            out.counter("process_cpu_seconds", "User and system CPU time spent, in seconds", seconds);
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if let Some(kibibytes) = value_of(&status, "VmRSS:") {
            out.gauge("process_resident_memory_bytes", "Resident memory size, in bytes", kibibytes * 1024.0);
        }
        if let Some(stat) = &stat {
            out.gauge("process_virtual_memory_bytes", "Virtual memory size, in bytes", stat.virtual_bytes);
        }
        if let Some(open) = open_descriptors() {
            out.gauge("process_open_fds", "Open file descriptors", open);
        }
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        if let Some(most) = value_of(&limits, "Max open files") {
            out.gauge("process_max_fds", "Largest number of file descriptors that may be open", most);
        }
        if let Some(started_at) = self.started_at {
            let help = "When the process was started, in seconds since 1970";
            out.gauge("process_start_time_seconds", help, started_at);
        }
    }
}

/// Figures of proc_pid_stat(5).
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    started_ticks: f64,
    virtual_bytes: f64,
}

impl Stat {
    fn read() -> Option<Stat> {
        Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Stat> {
        // The second field is the program's name, which may hold anything, in parentheses.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Stat { cpu_ticks: field(14)? + field(15)?, started_ticks: field(22)?, virtual_bytes: field(23)? })
    }
}

/// The number behind this beginning of a line.
fn value_of(text: &str, beginning: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(beginning))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// How many descriptors are open. Newer kernels (6.2) tell by the folder's size, which spares looking at each.
fn open_descriptors() -> Option<u64> {
    const FOLDER: &str = "/proc/self/fd";
    let size = fs::metadata(FOLDER).ok()?.len();
    // Reading the folder opens one more.
    if size > 0 { Some(size) } else { Some(fs::read_dir(FOLDER).ok()?.count().saturating_sub(1) as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_moves_no_field() {
        let text =
            "7 (a) b (c) S 1 7 7 0 -1 4194560 900 0 0 0 12 30 0 0 20 0 5 0 98765 7340032 1050 18446744073709551615";
        let expected = Stat { cpu_ticks: 42.0, started_ticks: 98_765.0, virtual_bytes: 7_340_032.0 };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn figures_are_found_by_their_names() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n\
                      Max address space         unlimited            unlimited            bytes     \n";
        assert_eq!(value_of(limits, "Max open files"), Some(1024.0));
        assert_eq!(value_of(limits, "Max address space"), None);
        assert_eq!(value_of("VmPeak:\t 9 kB\nVmRSS:\t    3920 kB\n", "VmRSS:"), Some(3920.0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_that_runs_this_is_known() {
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs_f64();
        let started_at = Process::default().started_at.expect("a time");
        assert!(started_at > now_s - 24.0 * 3600.0 && started_at < now_s + 2.0, "{started_at}, {now_s}");
        let before = open_descriptors().expect("a number");
        let _file = fs::File::open("/proc/self/stat").expect("a file");
        assert!(before > 0, "standard input, output and error at least");
    }
}
