//! Memory returned to the system when buffers are freed; a separate process, as other tests would change the
//! figures.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::fs;
use std::hint::black_box;

fn resident_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn filled(bytes: usize) -> Vec<u8> {
    black_box(vec![1; bytes])
}

#[test]
fn a_freed_buffer_is_the_systems_again_even_below_one_that_is_not() {
    schuss_kernels::return_freed_memory();
    drop(filled(30 << 20)); // from which glibc would learn to keep smaller buffers
    let below = filled(20 << 20);
    let _above = filled(500 << 10);
    let before = resident_kilobytes();
    drop(below);
    let after = resident_kilobytes();
    assert!(after + (15 << 10) < before, "{before} kB before, {after} after");
}
