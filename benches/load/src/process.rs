//! What the kernel knows of this machine and of a process: CPU time, memory, limits, affinity.

use std::{fs, io};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// CPU for servers.
pub const SERVER_CPU: usize = 0;
/// CPU for the load.
pub const LOAD_CPU: usize = 1;

/// CPU time that all threads of a process have used, in nanoseconds.
pub fn cpu_ns(process: u32) -> io::Result<u64> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let Ok(schedstat) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        total += schedstat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(total)
}

/// Resident user memory of a process, in bytes: exact, where the `VmRSS` of `/proc/PID/status` lags behind.
pub fn resident_bytes(process: u32) -> io::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("no Rss in smaps_rollup"))
}

/// Keeps the calling thread, and what it starts from now on, on one CPU.
pub fn pin(cpu: usize) -> io::Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cpus)?)
}

/// Raises the descriptor limit as far as it goes, for this process and what it starts; returns the limit.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// How many descriptors this process may have.
pub fn descriptor_limit() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// The machine in one line: CPU model, cores, kernel.
pub fn machine() -> String {
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field =
        |name: &str| cpu_info.lines().find(|line| line.starts_with(name)).and_then(|line| line.split(": ").nth(1));
    let cores = cpu_info.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} (family {}, model {}), {cores} cores, Linux {}",
        field("model name").unwrap_or("unknown CPU"),
        field("cpu family").unwrap_or("?"),
        field("model\t").unwrap_or("?"),
        kernel.trim()
    )
}
