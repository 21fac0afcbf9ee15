//! Memory limits of Linux control groups, versions 2 and 1.

use std::fs;
use std::path::Path;

/// Names in the folder of a group.
#[derive(Clone, Copy)]
struct Names {
    /// File with the limit.
    limit: &'static str,
    /// File with the memory in use.
    used: &'static str,
    /// Prefix of the line in `memory.stat` with the size of the cache.
    cache: &'static str,
}

const SECOND: Names = Names { limit: "memory.max", used: "memory.current", cache: "file " };
const FIRST: Names =
    Names { limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", cache: "total_cache " };

/// Returns the bytes left by each limit of the groups listed in `groups`, in the format of `/proc/self/cgroup`, and of
/// all their ancestors below `root`.
pub(super) fn left(groups: &str, root: &Path) -> Vec<u64> {
    groups.lines().filter_map(|line| group(line, root)).flatten().collect()
}

/// Returns the bytes left by the limits of a group and of its ancestors, if it controls memory.
fn group<'a>(line: &'a str, root: &Path) -> Option<impl Iterator<Item = u64> + use<'a>> {
    let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
    let (root, names) = match controllers {
        "" => (root.to_owned(), SECOND),
        _ if controllers.split(',').any(|name| name == "memory") => (root.join("memory"), FIRST),
        _ => return None,
    };
    let groups = Path::new(path.trim_start_matches('/')).ancestors();
    Some(groups.filter_map(move |group| left_in(&root.join(group), names)))
}

/// Returns the bytes left by a group's limit. Its page cache counts as free: it is dropped when memory runs short.
fn left_in(group: &Path, names: Names) -> Option<u64> {
    let Names { limit, used, cache } = names;
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name| read(name)?.trim().parse::<u64>().ok();
    let stat = read("memory.stat").unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix(cache)?.trim().parse::<u64>().ok());
    Some(number(limit)?.saturating_sub(number(used)?.saturating_sub(cached.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// Creates a stand-in for `/sys/fs/cgroup` with these files.
    fn system(files: &[(&str, &str)]) -> TempDir {
        let root = TempDir::new().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_group_leaves_its_limit_but_for_what_is_used_and_no_cache() {
        let root = system(&[
            ("app/memory.max", "1000000\n"),
            ("app/memory.current", "700000\n"),
            ("app/memory.stat", "anon 500000\nfile 200000\nfile_mapped 7\n"),
        ]);
        assert_eq!(left("0::/app\n", root.path()), [500_000]);
    }

    #[test]
    fn groups_above_count_too_and_those_without_a_limit_do_not() {
        let root = system(&[
            ("pod/app/memory.max", "max\n"),
            ("pod/app/memory.current", "5\n"),
            ("pod/memory.max", "300\n"),
            ("pod/memory.current", "100\n"),
            ("memory.max", "900\n"),
            ("memory.current", "1000\n"),
        ]);
        assert_eq!(
            left("0::/pod/app\n", root.path()),
            [200, 0],
            "nearest first; nothing is left of the outermost"
        );
        assert_eq!(left("0::/\n", root.path()), [0]);
    }

    #[test]
    fn the_first_version_has_files_of_other_names_below_its_controller() {
        let root = system(&[
            ("memory/docker/x/memory.limit_in_bytes", "4096"),
            ("memory/docker/x/memory.usage_in_bytes", "2048"),
            ("memory/docker/x/memory.stat", "cache 9\ntotal_cache 1024\n"),
        ]);
        let groups = "12:cpu,cpuacct:/docker/x\n7:hugetlb,memory:/docker/x\n1:name=systemd:/docker/x\n";
        assert_eq!(left(groups, root.path()), [3_072]);
    }

    #[test]
    fn what_is_not_understood_sets_no_limit() {
        let root = system(&[("app/memory.max", "lots"), ("app/memory.current", "5")]);
        for groups in ["", "0::/app", "0::/elsewhere", "no colons", "0:"] {
            assert!(left(groups, root.path()).is_empty(), "{groups}");
        }
    }
}
