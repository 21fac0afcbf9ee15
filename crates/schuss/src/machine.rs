//! This machine and this process, as reported by the operating system (`None` where it does not), and its threads.

mod control_groups;
mod variables;

pub use schuss_kernels::return_freed_memory;
pub use variables::check as check_variables;

use crate::record::Machine;
use crate::{Error, Result};
use schuss_kernels::Team;
use std::fs;
use std::path::Path;

/// Maximum number of threads.
const MAX_THREADS: usize = 1_024;

/// Describes this machine.
pub fn describe() -> Machine {
    Machine {
        cpu: cpu_name().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        isa: schuss_kernels::Isa::detect().name().to_owned(),
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

/// Returns the names of the instruction sets the kernels can use on this machine, best first.
pub fn instruction_sets() -> Vec<&'static str> {
    schuss_kernels::Isa::available().into_iter().map(schuss_kernels::Isa::name).collect()
}

fn cpu_name() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}

/// Returns the memory available without swapping, in bytes, within the limits of this process's control groups.
pub fn available_memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let left = control_groups::left(&groups, Path::new("/sys/fs/cgroup"));
    kilobytes("/proc/meminfo", "MemAvailable:").into_iter().chain(left).min()
}

/// Returns the default memory budget for data, in bytes: half of the available memory, or 1 GiB if unknown.
pub(crate) fn memory_for_data() -> u64 {
    available_memory().map_or(1 << 30, |available| available / 2)
}

/// Returns the peak resident memory of this process since [`reset_peak_memory`], in bytes.
pub fn peak_memory() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// Resets the peak of [`peak_memory`], if the system allows it.
pub fn reset_peak_memory() {
    let _ = fs::write("/proc/self/clear_refs", "5"); // an older peak is still an upper bound
}

/// Starts a team of `threads` threads.
pub(crate) fn team(threads: usize) -> Result<Team> {
    if !(1..=MAX_THREADS).contains(&threads) {
        return Err(Error::usage(format!("{threads} threads; 1 to {MAX_THREADS} are possible")));
    }
    Team::new(threads).map_err(|error| {
        Error::failure(format!("the system cannot start {threads} threads: {error}"))
            .advise("fewer --threads")
    })
}

/// Reads the number of a line `name:   1234 kB`, in bytes.
fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns the current time in UTC, to the second: `2026-11-21T09:30:00Z`.
pub fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    moment(since.as_secs())
}

/// Formats seconds since the beginning of 1970 as a date and time of the Gregorian calendar. Days become dates by
/// Hinnant's algorithm `civil_from_days`: years begin in March, and eras of 400 years have 146,097 days.
fn moment(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * march + 2) / 5 + 1, if march < 10 { march + 3 } else { march - 9 });
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        assert_eq!(moment(0), "1970-01-01T00:00:00Z");
        assert_eq!(moment(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(moment(1_795_786_205), "2026-11-27T13:30:05Z");
    }
}
